"""Situations in which one person asks another for a favour."""

from synthetic.rows.names import (
    CITIES,
    DAYS,
    DISHES,
    KEY_PLACES,
    NAMES,
    PLACES,
    TIMES,
    TOOLS,
    TREATS,
)
from synthetic.rows.situations.model import Beat, Situation

# These are tables to read, one phrasing a line; the formatter would make them three times as long.
# fmt: off

BORROWING = Situation(
    kind="borrowing",
    slots={"tool": TOOLS, "day": DAYS, "place": PLACES, "treat": TREATS},
    beats=(
        Beat("a", "{a} asked {b_me} for {tool}", (
            "{b}, do you own {tool}? I would like to borrow it for a few days.",
            "Could you lend me {tool}, {b}? Mine is broken.",
            "I need {tool} and the shops are so expensive. Can you help me, {b}?",
            "{b}, I am looking for {tool}. May I borrow yours?",
        ), slip="tool"),
        Beat("b", "{b} said yes and asked about the day", (
            "Sure, mine is in the cellar anyway. When do you need it?",
            "No problem, I do not use it now. From when?",
            "Yes, of course, you can have mine. Which day?",
            "I think it still works, so yes. When would you like it?",
        )),
        Beat("a", "{a} needed it {day} and promised {treat} as thanks", (
            "It would be great to have it {day}. You will get {treat} as a thank you!",
            "If I get it {day}, I will give you {treat} for your help.",
            "I need it {day}. And I will say thank you with {treat} :)",
        ), slip="day"),
        Beat("b", "{b} promised to hand it over {place}", (
            "Deal! I can hand it over {place} after work.",
            "You do not have to, but ok! I will be {place}, meet me there.",
            "Haha, that is fair. Pick it up {place}, then I do not have to carry it far.",
        ), slip="place"),
    ),
    summaries=(
        "{b} will lend {a} {tool}. {a} will pick it up {place} {day} and give {b} {treat}.",
        "{a} will borrow {tool} from {b} {day} and give {b} {treat}. They will meet {place}.",
        "{a} wants to borrow {tool} from {b}. They will meet {place} {day}, and {a} will give {b}"
        " {treat}.",
    ),
    questions=(
        ("Who owns {tool}?", "{b}"),
        ("What does {a} need?", "{tool}"),
        ("What does {b} get as thanks?", "{treat}"),
        ("Where do they meet?", "{place}"),
        ("When does {a} need it?", "{day}"),
    ),
    todos=(("b", "take {tool} to {a} {place} {day}"), ("a", "get {treat} for {b}")),
)

REFUSAL = Situation(
    kind="refusal",
    slots={"tool": TOOLS, "day": DAYS, "friend": NAMES, "time": TIMES},
    beats=(
        Beat("a", "{a} asked {b_me} for {tool}", (
            "{b}, can I have {tool} from you for one day?",
            "Do you still have {tool}, {b}? I have to do some work at home.",
            "Sorry to ask, {b}, but could I borrow {tool} from you?",
        )),
        Beat("b", "{b} could not help because {friend} had it", (
            "I would like to help, but I gave it to {friend} last month.",
            "Not from me, sorry. Right now {friend} has it.",
            "Bad luck, I do not have it here. It is with {friend}.",
        ), slip="friend"),
        Beat("a", "{a} needed it {day}", (
            "Oh no! And I really need it {day}. What can I do?",
            "What a pity, because I have to use it {day}.",
            "Hmm, that is not good. I have to have it {day}.",
        ), slip="day"),
        Beat("b", "{b} gave the advice to phone {time}", (
            "Just ask there! It is best to call {time}, I will send you the number.",
            "Why do you not call? You can reach everybody there {time}.",
            "I am sure you can get it. Only call {time}, after work.",
        ), slip="time"),
    ),
    summaries=(
        "{b} cannot lend {a} {tool} because {friend} has it. {a} needs it {day} and will call"
        " {friend} {time}.",
        "{a} needs {tool} {day}, but {b} gave it to {friend}. {a} will call {friend} {time}.",
        "{b} cannot lend {a} {tool} {day}. {a} will call {friend}, who has it, {time}.",
    ),
    questions=(
        ("Who has it now?", "{friend}"),
        ("Who could not help?", "{b}"),
        ("What does {a} look for?", "{tool}"),
        ("When should {a} phone?", "{time}"),
        ("When does {a} need it?", "{day}"),
    ),
    todos=(("a", "phone {friend} {time} about {tool}"), ("b", "send {a} the number of {friend}")),
)

MOVING = Situation(
    kind="moving",
    slots={
        "street": (
            "to Park Street", "to Mill Road", "to Rose Lane", "to King Street", "to River Road",
            "to the old town", "to Garden Lane", "to Hill Road", "to the harbour area",
        ),
        "day": DAYS,
        "vehicle": ("a van", "a truck", "a trailer", "a cart", "a big car", "a minibus"),
        "dish": DISHES,
    },
    beats=(
        Beat("a", "{a} was moving {street} and needed strong people", (
            "I got the keys, {b}! I am moving {street} and need strong arms.",
            "{b}, can you help me with my boxes? I am moving {street}.",
            "Good news: I can finally move {street}. Bad news: so many boxes, {b}!",
        ), slip="street"),
        Beat("b", "{b} asked about the day", (
            "Wow, congratulations! Of course I will help. Which day is it?",
            "Happy for you! I am strong, you know. When do you start?",
            "Finally! Sure, count on me. When will that be?",
        )),
        Beat("a", "{a} wanted to do it {day} and cook {dish} for everybody", (
            "I want to do it {day}, and I will cook {dish} for all the helpers.",
            "We start {day}. There will be {dish} when we are done!",
            "I took the day off {day}. I will thank you with {dish}.",
        ), slip="day"),
        Beat("b", "{b} could get {vehicle}", (
            "Now I am hungry. I can get {vehicle} from my uncle, that will help.",
            "Then I must come :) Shall I bring {vehicle}? My sister has one.",
            "Good deal. I will come with {vehicle}, so we drive only once.",
        ), slip="vehicle"),
    ),
    summaries=(
        "{a} is moving {street} {day}. {b} will help and bring {vehicle}, and {a} will cook"
        " {dish}.",
        "{b} will help {a} move {street} {day} and bring {vehicle}. {a} will cook {dish}.",
        "{a} will move {street} {day} with the help of {b}, who will bring {vehicle}. {a} will"
        " cook {dish}.",
    ),
    questions=(
        ("Who gets a new home?", "{a}"),
        ("Who comes with {vehicle}?", "{b}"),
        ("Where does {a} move?", "{street}"),
        ("What will the helpers eat?", "{dish}"),
        ("When do they carry the boxes?", "{day}"),
    ),
    todos=(("b", "get {vehicle} {day} for {a}"), ("a", "make {dish} for {b} {day}")),
)

PETS = Situation(
    kind="pets",
    slots={
        "city": CITIES,
        "pet": (
            "the cat", "the rabbit", "the fish", "the hamster", "the parrot", "the turtle",
            "the chickens", "the old dog",
        ),
        "often": ("once a day", "twice a day", "every second day", "every morning", "every night"),
        "hiding": KEY_PLACES,
    },
    beats=(
        Beat("a", "{a} had to go to {city} and asked {b_me} for help with {pet}", (
            "I have to go to {city} for work, {b}. Could you look after {pet}?",
            "{b}, I will be in {city} next week. Who can feed {pet}? Can you?",
            "Can you take care of {pet}, {b}? I have to visit my aunt in {city}.",
        ), slip="city"),
        Beat("b", "{b} liked the idea and asked how often", (
            "I would love to! How often do I have to come?",
            "Sure, we are good friends already. How much food and how often?",
            "Yes, gladly! What do I have to do, and how often?",
        )),
        Beat("a", "{a} explained that food was needed {often}", (
            "Only a little food and fresh water {often}, that is enough.",
            "Just give some food {often} and say something nice.",
            "One cup of food {often}, please. Not more!",
        ), slip="often"),
        Beat("b", "{b} asked for the key", (
            "Easy. And how do I get in? I do not have a key.",
            "I can do that. Where do I find the key?",
            "Ok, I wrote it down. What about the key?",
        )),
        Beat("a", "{a} promised to put the key {hiding}", (
            "I will leave the key {hiding} before I go. Thank you so much!",
            "You will find it {hiding}. You are an angel!",
            "I will put it {hiding}, nobody looks there.",
        ), slip="hiding"),
    ),
    summaries=(
        "{a} is going to {city}, so {b} will feed {pet} {often}. {a} will leave the key {hiding}.",
        "{b} will feed {a}'s pet, {pet}, {often} while {a} is in {city}. The key will be"
        " {hiding}.",
        "{b} will look after {pet} for {a}, who is going to {city}, and feed it {often}."
        " The key will be {hiding}.",
    ),
    questions=(
        ("Who goes away?", "{a}"),
        ("Who gives the food?", "{b}"),
        ("Where is the key?", "{hiding}"),
        ("How often does {b} have to come?", "{often}"),
        ("Which city does {a} visit?", "{city}"),
        ("Who needs food?", "{pet}"),
    ),
    todos=(("b", "give food to {pet} {often}"), ("a", "put the key {hiding} for {b}")),
)

BABYSITTING = Situation(
    kind="babysitting",
    slots={
        "day": DAYS,
        "event": (
            "a wedding", "a work dinner", "a school meeting", "an office party", "a dance class",
            "a birthday party", "a yoga course",
        ),
        "time": TIMES,
        "game": (
            "build a castle", "paint masks", "bake cookies", "read stories", "make paper planes",
            "play cards", "sing songs",
        ),
    },
    beats=(
        Beat("a", "{a} needed a babysitter because of {event}", (
            "I need a babysitter, {b}. There is {event} and I have to be there.",
            "{b}, could you watch the kids? I am invited to {event}.",
            "Do you have time for my kids, {b}? I must go to {event}.",
        ), slip="event"),
        Beat("b", "{b} liked the kids and asked when", (
            "I love your kids! Tell me the day and the time.",
            "With pleasure, they are so funny. When should I be there?",
            "I think so. When do you have to leave?",
        )),
        Beat("a", "{a} had to leave {day} {time}", (
            "It is {day}, and I have to leave {time}.",
            "I need you {day}. Please be at my door {time}.",
            "They expect me {day}, so come to us {time}, please.",
        ), slip="day"),
        Beat("b", "{b} wanted to {game} with the kids", (
            "That works. I will {game} with them, they liked that last time.",
            "I will be there! Tell them that we are going to {game}.",
            "Ok, no problem. I think we will {game} this time.",
        ), slip="game"),
    ),
    summaries=(
        "{b} will watch {a}'s kids {day} {time} and {game} with them. {a} is going to {event}.",
        "{a} is going to {event} {day}, so {b} will watch the kids {time} and {game} with them.",
        "{b} will babysit for {a} {day} {time} and {game} with the kids. {a} is going to {event}.",
    ),
    questions=(
        ("Whose kids are they?", "{a}'s"),
        ("Who stays with the kids?", "{b}"),
        ("Why does {a} have to leave?", "because of {event}"),
        ("What is {b}'s plan for the kids?", "to {game}"),
        ("When does {b} have to come?", "{day} {time}"),
    ),
    todos=(("b", "be at {a}'s door {day} {time}"), ("a", "get ready for {event} {day}")),
)

LIFT = Situation(
    kind="lift",
    slots={"city": CITIES, "day": DAYS, "time": TIMES, "place": PLACES},
    beats=(
        Beat("a", "{a} had a flight to {city} and asked {b_me} for a ride", (
            "{b}, I am flying to {city} and have three heavy bags. Can you drive me?",
            "Is your car ok again, {b}? I need a ride, because I am flying to {city}.",
            "I have a flight to {city}, {b}. Could you take me there by car?",
        ), slip="city"),
        Beat("b", "{b} was free {day} only", (
            "I can do it if it is {day}, I have to work on the other days.",
            "Lucky you! As long as it is {day}, I can drive you.",
            "Do you fly {day}? That would be fine for me.",
        )),
        Beat("a", "{a} had to start {time}", (
            "Yes, exactly! We have to start {time}, or I will miss it.",
            "That is the day! It would be good to leave {time}.",
            "You read my mind. The best time for me is {time}.",
        ), slip="time"),
        Beat("b", "{b} promised to stop the car {place}", (
            "All right. Wait for me {place}, I can stop the car there.",
            "Fine, I will pick you up {place}. Look for a green car.",
            "Ok. It is easy to park {place}, so be there with your bags.",
        ), slip="place"),
    ),
    summaries=(
        "{a} is flying to {city} {day}. {b} will pick {a} up {place} {time}.",
        "{b} will drive {a}, who is flying to {city} {day}. {b} will pick {a} up {place} {time}.",
        "{b} will pick {a} up {place} {day} {time}, because {a} is flying to {city}.",
    ),
    questions=(
        ("Who drives?", "{b}"),
        ("Who flies?", "{a}"),
        ("Which city does {a} fly to?", "{city}"),
        ("Where does {a} wait?", "{place}"),
        ("When does {b} come?", "{day} {time}"),
    ),
    todos=(("b", "stop {place} {day} {time} for {a}"), ("a", "take the bags {place} {day} {time}")),
)

PARCEL = Situation(
    kind="parcel",
    slots={
        "goods": (
            "a new lamp", "a coffee machine", "a pair of boots", "a winter coat", "a game console",
            "a wall clock", "a set of knives", "a garden chair",
        ),
        "day": DAYS,
        "hiding": (
            "in the garage", "on the balcony", "with the neighbour", "behind the bins",
            "next to the stairs", "in the bike shed", "by the back door", "in the cellar",
        ),
        "treat": TREATS,
    },
    beats=(
        Beat("a", "{a} expected {goods} and could not be at home", (
            "I ordered {goods}, {b}, but I cannot be at home when it comes.",
            "{b}, my parcel is coming and I am at work. It is {goods}.",
            "Are you at home this week, {b}? They want to bring me {goods}.",
        ), slip="goods"),
        Beat("b", "{b} could take it and asked for the day", (
            "I work from home, so I can take it. Which day?",
            "Of course I can open the door. When will it be here?",
            "No problem, I hear the bell. When do they come?",
        )),
        Beat("a", "{a} said that it would come {day}", (
            "They wrote that it will be here {day}. That would help me a lot!",
            "It should come {day}, in the morning I think.",
            "The man on the phone said {day}. I owe you one!",
        ), slip="day"),
        Beat("b", "{b} promised to put it {hiding}", (
            "Fine, I will put it {hiding} for you, because I go out later.",
            "Ok. You will find it {hiding} when you come home.",
            "Good. I will leave it {hiding}, so you can take it any time.",
        ), slip="hiding"),
        Beat("a", "{a} wanted to say thanks with {treat}", (
            "Great! I will bring you {treat} as a thank you.",
            "You saved me. I will give you {treat} for that.",
            "So kind! Next time I see you, you will get {treat}.",
        )),
    ),
    summaries=(
        "{b} will take {a}'s parcel with {goods} {day} and leave it {hiding}. {a} will give {b}"
        " {treat}.",
        "{b} will take {goods} for {a} {day} and leave it {hiding}. {a} will give {b} {treat}.",
        "{a} ordered {goods}. {b} will take it {day}, leave it {hiding} and get {treat}.",
    ),
    questions=(
        ("What did {a} order?", "{goods}"),
        ("Who opens the door?", "{b}"),
        ("Where will {a} find it?", "{hiding}"),
        ("When does it come?", "{day}"),
        ("What does {b} get?", "{treat}"),
    ),
    todos=(("b", "put the parcel {hiding} {day}"), ("a", "get {treat} for {b}")),
)

FAVOURS = (BORROWING, REFUSAL, MOVING, PETS, BABYSITTING, LIFT, PARCEL)
