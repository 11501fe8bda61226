"""Turns that are irrelevant to the summary, and templates of corrections.

An exchange is a tuple of turns. The first is addressed to `{q}`, who says the second; `{name}`,
`{when}`, `{where}`, `{hour}` and `{thing}` are distractors: values of the same kinds as the
facts of summaries.
"""

OPENINGS = (
    ("Hi {q}! How was your week?", "Hi! Not bad, {name} was here {when}."),
    ("Hello {q}, how are you?", "Fine, thanks, only a bit tired."),
    ("Hey {q}, did you sleep well?", "Not really, the dog of {name} was so loud."),
    ("Good morning {q} :)", "Morning! I just saw {name} {where}."),
    ("Hi {q}, are you busy?", "No, I am only cleaning {thing}. What is up?"),
    ("Hey {q}! I saw you {where} {when}!", "Haha, yes, I was there with {name}."),
    ("Hi {q}, how is {name}?", "Much better, back to work {when}!"),
    ("{q}, are you there?", "Yes, I just got up. It was late with {name}."),
    ("Hello {q}! What a nice day!", "Yes, I was {where} with {name}, so sunny!"),
    ("Hi {q}, did you hear about {name}?", "No, but we will talk {when}. Tell me!"),
    ("Hey {q}, long time no see!", "True! I was in bed with a cold."),
    ("Hi {q} :)",),
    ("Good evening {q}!",),
    ("Hey {q}, I was with {name} all day, only home now.",),
    ("Hi {q}! I had lunch {where}, it was so full.",),
)

ASIDES = (
    ("By the way, I met {name} {where}.", "Really? I have not seen {name} for years!"),
    ("Sorry, the phone rang. It was {name}.", "No problem, I was reading anyway."),
    ("Did you see the new shop? They opened it {when}.", "Yes, {name} works there now!"),
    ("The weather is so bad today.", "I know, and it will rain again {when}."),
    ("{name} says hello, by the way.", "Oh, thanks! Say hi from me too."),
    ("Did I tell you that {name} bought {thing}?", "Haha, no! What for?"),
    ("I am still angry with {name}.", "Let it go! It was not so bad."),
    ("Do you know that {name} gets up {hour} every day?", "Crazy! I would never do that."),
    ("Wait a moment, somebody is at the door.", "Take your time, I will make tea."),
    ("I lost {thing} {where} last week, so stupid of me.", "Oh no! Ask {name}, you never know."),
    ("Do you like my new picture?", "Haha, yes! Was that {where}?"),
)

CLOSINGS = (
    ("Thank you so much!", "You are welcome :)"),
    ("Great, I have to go now, {name} is calling.", "Ok, bye!"),
    ("Ok, talk to you soon!", "Bye bye, say hi to {name}!"),
    ("You are the best!", "I know, haha."),
    ("Super, I am happy now.", "Me too. I must run, my class starts {hour}."),
    ("Good night!", "Good night, sleep well!"),
    ("I am so glad.", "So am I. Call me {when}, ok?"),
    ("Perfect!",),
    ("Ok, bye now, I have to be {where} soon.",),
    ("Thanks, that is great :)",),
)

COMMENTS = (
    "Haha, you two are funny.",
    "I wish I had as much time as you.",
    "I was {where} {when}, it was so boring.",
    "Sorry, I only read half of this. I am with {name}.",
    "You are talking so fast, I am still at work.",
    "Without me please, I am meeting {name} {when}.",
    "Have fun, I have to help {name} with {thing}.",
    "My phone is almost dead, call me {when}.",
    "Lucky you! I have to work {when}.",
    "Oh, that reminds me that {name} called me.",
    "I always get up {hour}, so I am too tired for this.",
    "Nice, tell me later how it was!",
)

CORRECTIONS = (
    "Wait, not {old}, {new}. Sorry!",
    "Sorry, I got that wrong. Not {old}, but {new}.",
    "Oh no, I said {old}, but I mean {new}!",
    "Small change: {new} and not {old}, ok?",
    "I have to correct myself: {new}, not {old}.",
    "I looked again, it is not {old} but {new}.",
)

ACKNOWLEDGEMENTS = (
    "No problem, good that you say it.",
    "Ok, I will write that down.",
    "Haha, all right, I like that even more.",
    "Fine, that changes nothing for me.",
    "Ok, got it.",
)
