"""Situations in which people plan something pleasant together."""

from synthetic.rows.names import (
    CITIES,
    DAYS,
    DISHES,
    NAMES,
    PLACES,
    PRICES,
    TIMES,
    TREATS,
)
from synthetic.rows.situations.model import Beat, Situation

# These are tables to read, one phrasing a line; the formatter would make them three times as long.
# fmt: off

MEETING = Situation(
    kind="meeting",
    slots={
        "activity": (
            "have a coffee", "go for a walk", "play chess", "go for a run", "practise Spanish",
            "look at old photos", "feed the ducks", "try the new skates",
        ),
        "day": DAYS,
        "time": TIMES,
        "place": PLACES,
    },
    beats=(
        Beat("a", "{a} wanted to {activity} with {b_me}", (
            "It has been ages, {b}! Do you want to {activity} with me again?",
            "I would love to {activity} with you, {b}. Do you have time this week?",
            "{b}, we should really {activity} again. When can you make it?",
            "{b}, are you in the mood to {activity} some time soon?",
        )),
        Beat("b", "{b} was free {day}", (
            "Great idea! I am free {day}, the rest of my week is full.",
            "Yes please! I have to work a lot, but {day} I can make it.",
            "Of course! Can we do it {day}? I have nothing else to do then.",
            "Oh yes! It only works {day}, I am afraid.",
        ), slip="day"),
        Beat("a", "{a} asked to start {time}", (
            "Perfect for me. Shall we say {time}? I need some sleep first.",
            "That suits me too. I can be there {time}, not earlier.",
            "Super. I have to do the dishes first, so let us start {time}.",
            "Works for me! Is {time} ok for you?",
        ), slip="time"),
        Beat("b", "{b} chose to meet {place}", (
            "Sure. I will wait for you {place}, it is easy to find.",
            "Fine. Let us meet {place}, that is close to my work.",
            "All right! We can meet {place}, I know the way.",
            "Good. Come and find me {place}, I will wear a red hat.",
        ), slip="place"),
    ),
    summaries=(
        "{a} and {b} will meet {place} {day} {time} to {activity}.",
        "{a} and {b} want to {activity}. They will meet {place} {day} {time}.",
        "{b} is free {day}, so {a} and {b} will meet {place} {time} to {activity}.",
    ),
    questions=(
        ("Who had the idea?", "{a}"),
        ("Where will they meet?", "{place}"),
        ("When is {b} free?", "{day}"),
        ("What time suits {a}?", "{time}"),
        ("What is the idea?", "to {activity}"),
    ),
    todos=(("a", "find {b} {place} {day} {time}"), ("b", "wait for {a} {place} {day} {time}")),
)

DINNER = Situation(
    kind="dinner",
    slots={"day": DAYS, "dish": DISHES, "time": TIMES, "treat": TREATS},
    beats=(
        Beat("a", "{a} invited {b_me} to dinner {day}", (
            "I want to have you over for dinner {day}, {b}. Can you come?",
            "{b}, do you have plans {day}? I would like to invite you to dinner.",
            "Are you hungry, {b}? Come to my place for dinner {day}!",
            "{b}, please keep the evening free {day}, I am giving a small dinner.",
        ), slip="day"),
        Beat("b", "{b} asked what there would be to eat", (
            "I would love to! What are you going to cook?",
            "Oh how nice, yes! What is on the menu?",
            "With pleasure :) What will we eat?",
            "I never say no to your food. What is it this time?",
        )),
        Beat("a", "{a} planned {dish} and wanted to start {time}", (
            "I will make {dish}. It should be on the table {time}.",
            "I found a recipe for {dish}, so be here {time}, please.",
            "It is going to be {dish} this time, and we eat {time}.",
            "My plan is {dish}. Everything will be ready {time}.",
        ), slip="time"),
        Beat("b", "{b} offered to come with {treat}", (
            "Yummy! Then I will bring {treat} for later.",
            "Sounds great. You cook, so I will bring {treat}.",
            "My favourite! I can get {treat} on the way to you.",
            "Perfect, and I will come with {treat}, if that is ok.",
        ), slip="treat"),
    ),
    summaries=(
        "{b} will come to {a}'s place for dinner {day} {time}. {a} will cook {dish} and {b} will"
        " bring {treat}.",
        "{a} invites {b} to dinner {day} {time}. {a} will cook {dish} and {b} will bring {treat}.",
        "{a} will cook {dish} for {b} {day} {time}. {b} will bring {treat}.",
    ),
    questions=(
        ("Who is the cook?", "{a}"),
        ("Who is the guest?", "{b}"),
        ("What is for dinner?", "{dish}"),
        ("What does {b} bring?", "{treat}"),
        ("When is the dinner?", "{day} {time}"),
    ),
    todos=(("a", "make {dish} {day}"), ("b", "get {treat} for the dinner with {a} {day} {time}")),
)

CONCERT = Situation(
    kind="concert",
    slots={
        "event": (
            "the jazz concert", "the rock festival", "the piano night", "the choir show",
            "the comedy show", "the magic show", "the folk concert", "the ballet",
        ),
        "friend": NAMES,
        "price": PRICES,
        "day": DAYS,
        "place": PLACES,
    },
    beats=(
        Beat("a", "{a} had a spare ticket for {event} because {friend} was ill", (
            "{friend} is ill, so I have one ticket too many for {event}. Do you want it, {b}?",
            "{b}, I have a spare ticket for {event}, because {friend} got ill.",
            "Guess what, {b}: {friend} is ill, and now I have two tickets for {event}.",
            "Would you come to {event}, {b}? It was {friend}'s ticket, but {friend} is ill now.",
        )),
        Beat("b", "{b} wanted to know the date and the price", (
            "Wow, I would love to go! When is it, and what does it cost?",
            "Poor thing! But yes, I am in. How much is it, and when?",
            "Really? I have never been there. Tell me the day and the price!",
        )),
        Beat("a", "{a} sold the ticket for {price} and said that the show was {day}", (
            "It is {day}, and I only want {price} for it.",
            "You can have it for {price}. The show is {day}.",
            "I paid more, but {price} is enough. It all starts {day}.",
        ), slip="day"),
        Beat("b", "{b} took the ticket and asked to meet {place}", (
            "Deal! Can we meet {place} and go there together?",
            "That is cheap, I will take it! Let us meet {place} first.",
            "Ok, sold! Pick me up {place}, then you get the money.",
        ), slip="place"),
    ),
    summaries=(
        "{friend} is ill, so {b} will buy the spare ticket for {event} {day} from {a} for {price}."
        " They will meet {place}.",
        "{a} will sell {friend}'s ticket for {event} {day} to {b} for {price}. They will meet"
        " {place}.",
        "{b} will go to {event} with {a} {day} instead of {friend} and pay {price}. They will meet"
        " {place}.",
    ),
    questions=(
        ("Who is ill?", "{friend}"),
        ("Who gets the ticket?", "{b}"),
        ("What does the ticket cost?", "{price}"),
        ("Which show is it?", "{event}"),
        ("Where do {a} and {b} meet?", "{place}"),
        ("When is the show?", "{day}"),
    ),
    todos=(("b", "give {a} {price} for the ticket"), ("a", "meet {b} {place} {day}")),
)

MATCH = Situation(
    kind="match",
    slots={
        "game": (
            "the football final", "the tennis match", "the basketball game", "the hockey game",
            "the handball match", "the chess final",
        ),
        "time": TIMES,
        "place": PLACES,
        "treat": TREATS,
    },
    beats=(
        Beat("a", "{a} wanted to see {game} with friends", (
            "Who wants to watch {game} with me? I cannot do it alone.",
            "Is anybody going to see {game}? I need some company.",
            "We have to see {game} together, all of us!",
            "I really want to watch {game} with you two.",
        )),
        Beat("b", "{b} knew a big screen {place}", (
            "Me! They have a big screen {place}, let us go there.",
            "Count me in. The best screen in town is {place}.",
            "Yes! I can keep three seats {place}, I know the owner.",
        ), slip="place"),
        Beat("c", "{c} promised to come with {treat}", (
            "I am in too! I will bring {treat} for us.",
            "Good plan. Then I will take care of {treat}.",
            "Count on me, and on {treat}. I get hungry when I watch sport.",
        ), slip="treat"),
        Beat("a", "{a} said that it started {time}", (
            "Great team! It starts {time}, so do not be late.",
            "Super! Be there {time}, that is when it begins.",
            "Nice! I looked it up, the first minute is {time}.",
        ), slip="time"),
    ),
    summaries=(
        "{a}, {b} and {c} will watch {game} {place} {time}. {c} will bring {treat}.",
        "{a} wants to watch {game}. {a}, {b} and {c} will meet {place} {time}, and {c} will bring"
        " {treat}.",
        "{a} will watch {game} with {b} and {c} {place} {time}. {c} will bring {treat}.",
    ),
    questions=(
        ("Who brings {treat}?", "{c}"),
        ("Who knew the screen?", "{b}"),
        ("Where is the screen?", "{place}"),
        ("What time does it start?", "{time}"),
        ("What do the friends want to see?", "{game}"),
    ),
    todos=(("c", "get {treat} for {game}"), ("a", "be {place} {time} for {game}")),
)

TRIP = Situation(
    kind="trip",
    slots={
        "city": CITIES,
        "month": (
            "in January", "in March", "in April", "in May", "in June", "in August",
            "in September", "in October", "in November",
        ),
        "transport": ("by train", "by bus", "by car", "by plane", "by boat"),
        "room": (
            "a small hotel", "a youth hostel", "a holiday flat", "a camping place",
            "a guest house", "a beach house",
        ),
    },
    beats=(
        Beat("a", "{a} wanted a holiday with {b_me} {month}", (
            "I need a holiday, {b}! Can you get some days off {month}?",
            "{b}, my boss gave me a free week {month}. Shall we travel together?",
            "Shall we go away together {month}, {b}? I am so tired of work.",
        ), slip="month"),
        Beat("b", "{b} dreamed of {city}", (
            "Yes, let us do it! I have always wanted to see {city}.",
            "I am in! What do you think about {city}? The food is so good there.",
            "Oh yes! My dream is {city}, I have a book about it.",
        ), slip="city"),
        Beat("a", "{a} wanted to get there {transport} and look for tickets", (
            "Good choice! We could go there {transport}. I will look for tickets.",
            "Lovely. I will get the tickets if we go {transport}, ok?",
            "Why not! If we travel {transport}, I will buy the tickets tonight.",
        ), slip="transport"),
        Beat("b", "{b} wanted to find {room}", (
            "Fine, and I will book {room} for us. It should not cost much.",
            "Deal. Then I will find {room} near the centre.",
            "Ok! My part is {room}, I will book it after work.",
        )),
    ),
    summaries=(
        "{a} and {b} will travel to {city} {transport} {month}. {a} will buy the tickets and {b}"
        " will book {room}.",
        "{a} and {b} are going to {city} {transport} {month}. {b} will book {room} and {a} will"
        " buy the tickets.",
        "{a} and {b} plan a holiday in {city} {month}. {a} will buy tickets to go {transport} and"
        " {b} will book {room}.",
    ),
    questions=(
        ("Who looks for {room}?", "{b}"),
        ("Who gets the tickets?", "{a}"),
        ("Which city is it?", "{city}"),
        ("When is the holiday?", "{month}"),
        ("How do they get there?", "{transport}"),
    ),
    todos=(("a", "get two tickets to {city}"), ("b", "look for {room} in {city}")),
)

PARTY = Situation(
    kind="party",
    slots={
        "day": DAYS,
        "place": PLACES,
        "dish": DISHES,
        "tool": (
            "a grill", "a folding table", "a guitar", "a projector", "a camera", "a big pot",
            "a tent", "a sound system", "a cool box",
        ),
    },
    beats=(
        Beat("a", "{a} planned a party {day} and asked for help", (
            "I am planning a little party {day}. Can you two help me?",
            "Hey you two, there will be a party {day}! Who can help?",
            "My birthday party is {day}, and I cannot do it all alone.",
        ), slip="day"),
        Beat("b", "{b} offered to make {dish}", (
            "Of course! I can make {dish}, everybody likes that.",
            "I will help. Leave the food to me, I will make {dish}.",
            "Sure, I have time to cook. What about {dish}?",
        ), slip="dish"),
        Beat("c", "{c} had {tool} and wanted to bring it", (
            "And I still have {tool} at home, I will bring that.",
            "I am a bad cook, but I can bring {tool} if you like.",
            "You will need {tool}, right? I will bring one.",
        ), slip="tool"),
        Beat("a", "{a} said that it would take place {place}", (
            "You are the best! We will all be {place}, there is enough room.",
            "Thanks, what would I do without you! The party is {place}.",
            "Perfect! I asked around, and we can have it {place}.",
        ), slip="place"),
    ),
    summaries=(
        "{a} is planning a party {place} {day}. {b} will make {dish} and {c} will bring {tool}.",
        "{a} will have a party {place} {day}. {b} will make {dish} and {c} will bring {tool}.",
        "{b} will make {dish} and {c} will bring {tool} for {a}'s party {place} {day}.",
    ),
    questions=(
        ("Whose party is it?", "{a}"),
        ("Who makes {dish}?", "{b}"),
        ("Who brings {tool}?", "{c}"),
        ("Where is the party?", "{place}"),
        ("When is the party?", "{day}"),
    ),
    todos=(("b", "make {dish} for {a}'s party"), ("c", "take {tool} to {a}'s party {place}")),
)

PLANS = (MEETING, DINNER, CONCERT, MATCH, TRIP, PARTY)
