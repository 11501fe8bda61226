"""Situations of work, study, home and shopping."""

from synthetic.rows.names import (
    DAYS,
    DISHES,
    GROCERIES,
    NAMES,
    PLACES,
    PRICES,
    TIMES,
    TREATS,
)
from synthetic.rows.situations.model import Beat, Situation

# These are tables to read, one phrasing a line; the formatter would make them three times as long.
# fmt: off

EXAM = Situation(
    kind="exam",
    slots={
        "subject": (
            "the maths exam", "the history exam", "the biology test", "the French test",
            "the driving test", "the chemistry exam", "the law exam", "the music test",
        ),
        "day": DAYS,
        "time": TIMES,
        "place": PLACES,
        "aid": (
            "the notes", "the old tests", "the textbook", "the word cards", "the slides",
            "the answer key", "a calculator", "a big dictionary",
        ),
    },
    beats=(
        Beat("a", "{a} was afraid of {subject}", (
            "I do not understand anything. I will fail {subject}!",
            "Is anybody ready for {subject}? I am so nervous.",
            "I have to learn for {subject}, but I cannot do it alone.",
        ), slip="subject"),
        Beat("b", "{b} wanted to study together {day}", (
            "Then let us study together, I have time {day}.",
            "Do not panic! We can all study {day}, I am free then.",
            "Me too. How about a study group {day}?",
        ), slip="day"),
        Beat("c", "{c} knew a quiet table {place}", (
            "I will come too! There is a quiet table {place}, I often sit there.",
            "Can I join you? We could sit {place}, nobody talks there.",
            "Good idea, I need that as well. It is nice and quiet {place}.",
        ), slip="place"),
        Beat("a", "{a} promised to come {time} with {aid}", (
            "You are so kind! I can be there {time}, and I will bring {aid}.",
            "I feel better now. See you {time}, I have {aid} for us.",
            "Yes! If we start {time}, I will bring {aid}.",
        ), slip="aid"),
    ),
    summaries=(
        "{a}, {b} and {c} will study for {subject} {place} {day} {time}. {a} will bring {aid}.",
        "{a} will study for {subject} with {b} and {c} {place} {day} {time} and bring {aid}.",
        "{b} and {c} will study with {a} for {subject} {place} {day} {time}. {a} will bring"
        " {aid}.",
    ),
    questions=(
        ("Who is afraid?", "{a}"),
        ("Who knew the table?", "{c}"),
        ("Who brings {aid}?", "{a}"),
        ("Where do they sit?", "{place}"),
        ("When do they learn?", "{day} {time}"),
        ("What do they learn for?", "{subject}"),
    ),
    todos=(("a", "take {aid} to the study group"), ("c", "get a table {place} {day}")),
)

INTERVIEW = Situation(
    kind="interview",
    slots={
        "job": (
            "a cook", "a driver", "a teacher", "a nurse", "a waiter", "a gardener",
            "an engineer", "an actor", "a reporter", "a tour guide",
        ),
        "day": DAYS,
        "time": TIMES,
        "outfit": (
            "a black suit", "a white shirt", "a blue jacket", "a silk tie", "a leather bag",
            "a smart watch", "a grey coat",
        ),
    },
    beats=(
        Beat("a", "{a} had the chance to work as {job}", (
            "They called me back, {b}! I may soon work as {job}.",
            "{b}, I have a job interview! They are looking for {job}.",
            "Cross your fingers, {b}. I want to get a job as {job}.",
        ), slip="job"),
        Beat("b", "{b} was happy and asked about the date", (
            "That is wonderful! When do you have to go there?",
            "You will be so good at it! When is the interview?",
            "I am proud of you! Do you have a date yet?",
        )),
        Beat("a", "{a} had to go there {day} {time} and had nothing to wear", (
            "They want to see me {day} {time}, and I have nothing to wear.",
            "It is {day} {time}. But all my clothes are old!",
            "I have to be there {day} {time}. What should I put on?",
        ), slip="day"),
        Beat("b", "{b} owned {outfit} for such days", (
            "I can lend you {outfit}, it brought me luck too.",
            "Take {outfit} from me, I do not need it this week.",
            "You know what? I have {outfit}, you can have it for that day.",
        ), slip="outfit"),
    ),
    summaries=(
        "{a} has a job interview as {job} {day} {time}. {b} will lend {a} {outfit}.",
        "{b} will lend {a} {outfit} for a job interview as {job} {day} {time}.",
        "{a} will wear {b}'s clothes, {outfit}, at a job interview as {job} {day} {time}.",
    ),
    questions=(
        ("Who wants a job?", "{a}"),
        ("What does {b} own?", "{outfit}"),
        ("What job is it?", "{job}"),
        ("When is the talk?", "{day} {time}"),
        ("Who lends something?", "{b}"),
    ),
    todos=(("b", "take {outfit} to {a}"), ("a", "be on time {day} {time}")),
)

PRESENT = Situation(
    kind="present",
    slots={
        "friend": NAMES,
        "day": DAYS,
        "present": (
            "a cookbook", "a board game", "a plant", "a teapot", "a wool hat", "a football",
            "a photo album", "a painting", "a fountain pen", "a backpack",
        ),
        "treat": TREATS,
        "price": PRICES,
    },
    beats=(
        Beat("a", "{a} reminded {b_me} that it was {friend}'s birthday {day}", (
            "Did you know, {b}? The birthday of {friend} is {day}! We need a present.",
            "{b}, what shall we give to {friend}? The birthday is {day}!",
            "I almost forgot that {friend} has a birthday {day}. Any ideas, {b}?",
        ), slip="day"),
        Beat("b", "{b} had the idea to give {present}", (
            "How about {present}? I know a nice shop for that.",
            "I am sure that {present} would be just right.",
            "Let me think. I saw {present} in town, and I would buy it.",
        ), slip="present"),
        Beat("a", "{a} wanted to come with {treat} too", (
            "Good idea, you get that. And I will come with {treat}.",
            "Nice! Can you buy it? I will bring {treat}, so we have both.",
            "I like it! You go to the shop, and {treat} will be my job.",
        ), slip="treat"),
        Beat("b", "{b} counted that each had to pay {price}", (
            "Then it will be {price} for each of us. Is that ok for you?",
            "If we share it all, we pay {price} each.",
            "I did the maths: everybody pays {price}.",
        ), slip="price"),
    ),
    summaries=(
        "{b} will buy {present} for {friend}'s birthday {day} and {a} will bring {treat}. They will"
        " pay {price} each.",
        "{friend}'s birthday is {day}. {b} will buy {present}, {a} will bring {treat}, and they"
        " will pay {price} each.",
        "{a} and {b} will pay {price} each for {friend}'s birthday {day}. {b} will buy {present}"
        " and {a} will bring {treat}.",
    ),
    questions=(
        ("Whose birthday is it?", "{friend}'s"),
        ("Who goes to the shop?", "{b}"),
        ("What does {a} bring?", "{treat}"),
        ("What is the present?", "{present}"),
        ("What does each of them pay?", "{price}"),
        ("When is the birthday?", "{day}"),
    ),
    todos=(("b", "get {present} before the birthday"), ("a", "come with {treat} {day}")),
)

SHOPPING = Situation(
    kind="shopping",
    slots={
        "first": GROCERIES,
        "second": GROCERIES,
        "dish": DISHES,
        "time": TIMES,
    },
    beats=(
        Beat("b", "{b} went to the shop and asked what was missing", (
            "I am at the shop, {a}. Do we need anything?",
            "{a}, I am going to the supermarket. What is missing at home?",
            "Hi {a}, I am standing in the shop without a list. What shall I get?",
        )),
        Beat("a", "{a} needed {first}", (
            "Oh good! We have no {first} left.",
            "Yes, please get some {first}, I used the last bit.",
            "I looked in the kitchen. We need {first}.",
        ), slip="first"),
        Beat("b", "{b} asked if that was all", (
            "Ok, it is in my basket. Is that all?",
            "Got it. Anything else? There are so many people here.",
            "I have it. What else do you want?",
        )),
        Beat("a", "{a} needed {second} for {dish}", (
            "I want to make {dish}, so I need {second} too.",
            "Do not forget {second}! I cannot make {dish} without that.",
            "And {second}, please. I am going to cook {dish}.",
        ), slip="second"),
        Beat("b", "{b} promised to be at home {time}", (
            "Now I am hungry! I will be home {time}.",
            "Mmm! Wait for me, I will be back {time}.",
            "All done. The queue is long, so expect me {time}.",
        ), slip="time"),
    ),
    summaries=(
        "{b} will buy {first} and {second} and be home {time}. {a} will cook {dish}.",
        "{b} is at the shop and will buy {first} and {second} for {a}, who will cook {dish}. {b}"
        " will be home {time}.",
        "{a} will cook {dish} and needs {first} and {second}. {b} will buy them and be home"
        " {time}.",
    ),
    questions=(
        ("Who is in the shop?", "{b}"),
        ("Who is the cook?", "{a}"),
        ("What do they need?", "{first} and {second}"),
        ("What is the plan for the kitchen?", "{dish}"),
        ("When is {b} back?", "{time}"),
    ),
    todos=(("b", "get {first} and {second}"), ("a", "make {dish} when {b} is back {time}")),
)

FLAT = Situation(
    kind="flat",
    slots={
        "area": (
            "in Park Street", "in Mill Road", "in Rose Lane", "in King Street", "in River Road",
            "in the old town", "in Garden Lane", "in Hill Road", "in the harbour area",
        ),
        "feature": (
            "a big balcony", "a small garden", "a new kitchen", "a view of the river",
            "an open fire", "a wooden floor", "a second bathroom",
        ),
        "day": DAYS,
        "time": TIMES,
        "check": (
            "look at the walls", "test the heating", "talk to the owner", "check the windows",
            "read the contract", "take photos",
        ),
    },
    beats=(
        Beat("a", "{a} found a flat {area}", (
            "I think I have found a flat, {b}! It is {area}.",
            "{b}, there is a flat for me {area}! I saw it in the paper.",
            "Look what I found, {b}: a cheap flat {area}!",
        ), slip="area"),
        Beat("b", "{b} asked what was special about it", (
            "Lucky you! What is so special about it?",
            "At last! Tell me more, what is it like?",
            "Not bad. Is it nice inside?",
        )),
        Beat("a", "{a} liked that it had {feature}", (
            "It has {feature}! I have never had that before.",
            "Imagine, there is {feature}. I am in love!",
            "The rooms are small, but I get {feature}.",
        ), slip="feature"),
        Beat("a", "{a} could see it {day} {time} and asked {b_me} to come too", (
            "I can see it {day} {time}. Will you come with me?",
            "They will show it to me {day} {time}, and I need your advice.",
            "They open the door for us {day} {time}, if you come too.",
        ), slip="day"),
        Beat("b", "{b} promised to {check}", (
            "I will come! And I will {check}, you always forget that.",
            "Sure, you need a second pair of eyes. I will {check} for you.",
            "Yes, gladly. I will {check}, so nothing can go wrong.",
        ), slip="check"),
    ),
    summaries=(
        "{a} found a flat {area} with {feature}. {b} will come to see it {day} {time} and {check}.",
        "{a} and {b} will see a flat {area} {day} {time}. It has {feature}, and {b} will {check}.",
        "{b} will see a flat with {feature} {area} with {a} {day} {time} and {check}.",
    ),
    questions=(
        ("Who wants the flat?", "{a}"),
        ("Who gives advice?", "{b}"),
        ("Where is the flat?", "{area}"),
        ("What does the flat have?", "{feature}"),
        ("What is {b}'s job there?", "to {check}"),
        ("When can they get in?", "{day} {time}"),
    ),
    todos=(("b", "{check} {day} {time}"), ("a", "show {b} the flat {day}")),
)

PROJECT = Situation(
    kind="project",
    slots={
        "topic": (
            "the new website", "the yearly report", "the spring sale", "the customer survey",
            "the staff party", "the budget plan", "the school play", "the town map",
        ),
        "day": DAYS,
        "part": (
            "draw the pictures", "write the text", "collect the numbers", "ask the experts",
            "make the slides", "find a title",
        ),
        "part_c": (
            "print the pages", "book a room", "correct the mistakes", "send the letters",
            "order the drinks", "prepare the talk",
        ),
        "place": PLACES,
    },
    beats=(
        Beat("a", "{a} was worried about {topic}", (
            "The boss asked about {topic} again. We have done nothing so far!",
            "We must do something about {topic}, people are getting angry.",
            "I cannot sleep because of {topic}. There is so much to do!",
        )),
        Beat("b", "{b} wanted to {part}", (
            "Relax, there are three of us. I will {part}.",
            "Ok, let us share the work. I am going to {part}.",
            "If it helps, I will {part}. That is what I do best.",
        ), slip="part"),
        Beat("c", "{c} wanted to {part_c}", (
            "And I will {part_c}, so you do not have to.",
            "Then I will {part_c}. I did it last time too.",
            "That leaves me. I am happy to {part_c}.",
        ), slip="part_c"),
        Beat("a", "{a} called everybody together {place} {day}", (
            "You two are great! Let us meet {place} {day} and put it together.",
            "Good. We will sit down {place} {day} and look at everything.",
            "I feel better. Come to me {place} {day} with what you have.",
        ), slip="day"),
    ),
    summaries=(
        "{b} will {part} and {c} will {part_c} for {topic}. {a} will meet them {place} {day}.",
        "{a}, {b} and {c} will meet {place} {day} about {topic}. {b} will {part} and {c} will"
        " {part_c}.",
        "{a} is worried about {topic}. {b} will {part}, {c} will {part_c}, and they will meet"
        " {place} {day}.",
    ),
    questions=(
        ("Who has to {part}?", "{b}"),
        ("Who has to {part_c}?", "{c}"),
        ("What is the work about?", "{topic}"),
        ("Where do they sit down?", "{place}"),
        ("When do they sit down?", "{day}"),
    ),
    todos=(("b", "{part} before the talk {day}"), ("c", "{part_c} in time")),
)

EVERYDAY = (EXAM, INTERVIEW, PRESENT, SHOPPING, FLAT, PROJECT)
