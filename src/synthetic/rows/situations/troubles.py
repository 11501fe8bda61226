"""Situations in which something has gone wrong."""

from synthetic.rows.names import (
    DAYS,
    NAMES,
    PLACES,
    PRICES,
    REASONS,
    TIMES,
)
from synthetic.rows.situations.model import Beat, Situation

# These are tables to read, one phrasing a line; the formatter would make them three times as long.
# fmt: off

LATE = Situation(
    kind="late",
    slots={
        "event": (
            "the film", "the meeting", "the dance class", "the play", "the wedding",
            "the swimming course", "the party", "the yoga class", "the Spanish lesson",
        ),
        "reason": REASONS,
        "delay": (
            "ten minutes", "fifteen minutes", "twenty minutes", "half an hour", "one hour",
            "two hours",
        ),
        "place": PLACES,
    },
    beats=(
        Beat("b", "{b} was waiting for {a_me} to go to {event}", (
            "Where are you, {a}? I am already here for {event}!",
            "I cannot see you anywhere, {a}. Did you forget {event}?",
            "{a}, are you coming? I do not want to miss {event}.",
            "Hello {a}, where are you? I thought we had {event} today.",
        )),
        Beat("a", "{a} was stuck because {reason}", (
            "I am so sorry, but {reason}. I feel terrible.",
            "You will not believe it: {reason}!",
            "What a day! First I could not find my phone, and now {reason}.",
        )),
        Beat("b", "{b} asked how long it would take", (
            "Oh dear! How long will it take?",
            "That can happen. How late will you be?",
            "Not again! When can you be here?",
        )),
        Beat("a", "{a} needed {delay} more", (
            "I think I need {delay} more. Please do not be angry!",
            "Give me {delay}, I am running now.",
            "It will take {delay}, I cannot make it any faster.",
        ), slip="delay"),
        Beat("b", "{b} preferred to wait {place}", (
            "It is cold out here, so I will wait {place}. Come there!",
            "Ok, then look for me {place}. I need to sit down.",
            "All right. You will find me {place} with a hot tea.",
        ), slip="place"),
    ),
    summaries=(
        "{a} will be {delay} late for {event} because {reason}. {b} will wait {place}.",
        "{a} is {delay} late because {reason}. {b} will wait for {a} {place} before {event}.",
        "{b} will wait {place}, because {a} will be {delay} late for {event}: {reason}.",
    ),
    questions=(
        ("Who is not there yet?", "{a}"),
        ("Who waits?", "{b}"),
        ("Why is {a} not there?", "because {reason}"),
        ("Where is {b}?", "{place}"),
        ("How much longer does {a} need?", "{delay}"),
    ),
    todos=(("a", "run to {b}, who is {place}"), ("b", "stay {place} for {delay}")),
)

LOST = Situation(
    kind="lost",
    slots={
        "thing": (
            "the phone", "the wallet", "the house keys", "the glasses", "the passport",
            "the umbrella", "the headphones", "the gold ring", "the brown scarf",
        ),
        "place": PLACES,
        "friend": NAMES,
        "day": DAYS,
    },
    beats=(
        Beat("a", "{a} could not find {thing} anywhere", (
            "Did I leave something with you, {b}? I cannot find {thing} anywhere!",
            "Help, {b}! I have looked in every bag and {thing} must be lost.",
            "I am going crazy, {b}. Have you seen {thing} that I always have with me?",
        )),
        Beat("b", "{b} remembered {thing} lying {place}", (
            "I think I know! It was next to your coat when we were {place}.",
            "You had it in your hand {place}, I am quite sure.",
            "Did you look {place}? You put it down there when you paid.",
        ), slip="place"),
        Beat("a", "{a} did not have time to go back", (
            "You may be right! But I am at work and cannot go back now.",
            "Oh no, of course! How can I get it? It is so far away.",
            "I was in such a hurry! And now I have no time to go there.",
        )),
        Beat("b", "{b} asked {friend} to get it", (
            "I know that {friend} lives near there. I will ask for some help.",
            "Wait a minute, I will write to {friend}, who can go and get it.",
            "Do not worry, I will send {friend}, who is nearby.",
        ), slip="friend"),
        Beat("b", "{b} promised to return it {day}", (
            "It is safe now! I will give it back to you {day}.",
            "Good news, we have it! You will have it back {day}.",
            "Found! I can bring it to you {day}, if that is early enough.",
        ), slip="day"),
    ),
    summaries=(
        "{a} left {thing} {place}. {friend} will get it and {b} will give it back {day}.",
        "{a} lost {thing} {place}. {b} will ask {friend} to get it and give it back {day}.",
        "{a} forgot {thing} {place}, but {friend} will get it. {b} will bring it back {day}.",
    ),
    questions=(
        ("What did {a} lose?", "{thing}"),
        ("Who went to get it?", "{friend}"),
        ("Where did {a} forget it?", "{place}"),
        ("When does {a} get it back?", "{day}"),
        ("Who returns it?", "{b}"),
    ),
    todos=(("b", "return {thing} to {a} {day}"), ("a", "thank {friend} and {b}")),
)

REPAIR = Situation(
    kind="repair",
    slots={
        "device": (
            "laptop", "printer", "tablet", "computer", "television", "game console", "radio",
            "washing machine", "coffee machine",
        ),
        "fault": (
            "makes a strange noise", "has a black screen", "gets very hot", "is terribly slow",
            "smells of smoke", "shows a red light", "stops all the time",
        ),
        "day": DAYS,
        "spare": (
            "the power cable", "the old battery", "the manual", "the password", "the receipt",
            "a small screwdriver", "a torch",
        ),
    },
    beats=(
        Beat("a", "{a} was sure that the {device} was broken", (
            "{b}, you know about these things. I think my {device} is broken!",
            "I need an expert, {b}! There is something wrong with my {device}.",
            "Do you have a minute, {b}? I have had enough of my {device}!",
        ), slip="device"),
        Beat("b", "{b} asked what was wrong", (
            "Do not throw it out of the window :) What is the problem?",
            "Stay calm. What happens when you turn it on?",
            "Again? Tell me exactly what you see and hear.",
        )),
        Beat("a", "{a} gave the answer that it {fault}", (
            "Well, it {fault}, and I did nothing, I promise.",
            "When I turn it on, it {fault}. I tried everything.",
            "It {fault} as soon as I touch it.",
        )),
        Beat("b", "{b} had time for it {day}", (
            "Sounds bad, but I can fix that. I will come {day}.",
            "I think I know why. I will come and look at it {day}.",
            "That is not so hard. I can come to you {day}.",
        ), slip="day"),
        Beat("b", "{b} needed {spare}", (
            "And please find {spare} before that, I will need it.",
            "But you must find {spare} first, or I cannot start.",
            "One more thing: can you look for {spare}? I need it.",
        ), slip="spare"),
    ),
    summaries=(
        "{a}'s {device} {fault}. {b} will come to fix it {day}, and {a} has to find {spare}.",
        "{b} will fix {a}'s {device} {day}, because it {fault}. {a} has to find {spare}.",
        "{a}'s {device} {fault}, so {b} will come {day}. {b} needs {spare} to fix it.",
    ),
    questions=(
        ("What is broken?", "the {device}"),
        ("What is the problem?", "it {fault}"),
        ("Who is the expert?", "{b}"),
        ("What must {a} look for?", "{spare}"),
        ("When does {b} have time?", "{day}"),
    ),
    todos=(("a", "look for {spare}"), ("b", "repair the {device} {day}")),
)

PLUMBER = Situation(
    kind="plumber",
    slots={
        "fault": (
            "the kitchen sink is leaking", "the toilet is blocked", "the shower stays cold",
            "the heating is dead", "the roof lets water in", "the front door is stuck",
            "the bathroom floor is wet",
        ),
        "friend": NAMES,
        "price": PRICES,
        "day": DAYS,
        "time": TIMES,
    },
    beats=(
        Beat("a", "{a} had a problem at home, because {fault}", (
            "I have a problem, {b}: {fault}, and nobody answers the phone.",
            "{b}, do you know somebody who repairs things? I cannot sleep because {fault}.",
            "I came home and saw that {fault}. What would you do, {b}?",
        )),
        Beat("b", "{b} knew that {friend} repaired such things", (
            "Take {friend}! That is who helped me last winter.",
            "I always call {friend}, that is real quality work.",
            "You need {friend}. I can call for you right now.",
        ), slip="friend"),
        Beat("a", "{a} was afraid of the price", (
            "Thanks! Please call. I hope it is not too expensive.",
            "Would you do that for me? How much does it cost?",
            "Yes, please! But I do not have much money this month.",
        )),
        Beat("b", "{b} found out that it would cost {price}", (
            "I just called. It will be {price}, all in.",
            "Good news from the phone: you only pay {price}.",
            "I got you a friendly price, it costs {price}.",
        ), slip="price"),
        Beat("b", "{b} set the date {day} {time}", (
            "And you must be at home {day} {time}, ok?",
            "The work starts {day} {time}. Do not go out!",
            "Somebody has to open the door {day} {time}.",
        ), slip="day"),
    ),
    summaries=(
        "{b} called {friend} for {a}, because {fault}. {friend} will come {day} {time} for"
        " {price}.",
        "At {a}'s place {fault}. {friend}, called by {b}, will come {day} {time} for {price}.",
        "{friend} will help {a} {day} {time} for {price}, because {fault}. {b} called {friend}.",
    ),
    questions=(
        ("Who does the work?", "{friend}"),
        ("Who made the phone call?", "{b}"),
        ("What does {a} have to pay?", "{price}"),
        ("Why does {a} need help?", "because {fault}"),
        ("When must {a} be at home?", "{day} {time}"),
    ),
    todos=(("a", "be at home {day} {time}"), ("a", "pay {friend} {price}")),
)

DOCTOR = Situation(
    kind="doctor",
    slots={
        "pain": (
            "a bad back", "a sore throat", "a swollen knee", "a high fever", "an ear ache",
            "a broken tooth", "a red eye", "a stiff neck", "a cut finger",
        ),
        "day": DAYS,
        "time": TIMES,
        "duty": (
            "walk the dog", "collect the kids", "water the plants", "clean the kitchen",
            "go to the bank", "wash the car", "lead the meeting", "open the shop",
        ),
    },
    beats=(
        Beat("b", "{b} noticed that {a_me} did not look well", (
            "You did not look well when I saw you, {a}. Are you ok?",
            "How do you feel, {a}? Somebody told me that you are ill.",
            "{a}, what is wrong? You were so quiet on the phone.",
        )),
        Beat("a", "{a} had {pain}", (
            "Not so good. I have {pain} and cannot sleep.",
            "I got {pain}, and it is getting worse.",
            "To be honest, I have {pain}. I do not like doctors, but I have to go.",
        )),
        Beat("a", "{a} had to see the doctor {day} {time}", (
            "They gave me an appointment {day} {time}, it was the only one.",
            "The doctor can see me {day} {time}. I hope it will be quick.",
            "I have to be at the doctor's {day} {time}.",
        ), slip="day"),
        Beat("b", "{b} asked how to help", (
            "Good that you go there. Can I do anything for you?",
            "Poor you! What can I do to help?",
            "I am glad you called them. Do you need any help?",
        )),
        Beat("a", "{a} could not {duty} alone", (
            "That is sweet. Could you {duty} for me then?",
            "Yes! I will not have time to {duty}. Can you do it?",
            "Well, somebody has to {duty} while I am there.",
        ), slip="duty"),
        Beat("b", "{b} promised to {duty}", (
            "Of course, leave it to me. Get well soon!",
            "Sure, that is done. Just take care of yourself!",
            "No problem, I will do it. Rest now!",
        )),
    ),
    summaries=(
        "{a} has {pain} and will see the doctor {day} {time}. {b} will {duty} for {a}.",
        "{a} has a doctor's appointment {day} {time} because of {pain}. {b} will {duty} for {a}.",
        "{b} will {duty} for {a}, who has {pain} and will see the doctor {day} {time}.",
    ),
    questions=(
        ("Who is ill?", "{a}"),
        ("Who helps?", "{b}"),
        ("What is the matter with {a}?", "{pain}"),
        ("What is {b}'s job?", "to {duty}"),
        ("When is the appointment?", "{day} {time}"),
    ),
    todos=(("b", "{duty} {day}"), ("a", "be at the doctor's {day} {time}")),
)

CANCELLATION = Situation(
    kind="cancellation",
    slots={
        "event": (
            "tennis game", "dinner", "bike tour", "card night", "film night", "breakfast",
            "boat trip", "hike", "band practice",
        ),
        "reason": REASONS,
        "day": DAYS,
        "friend": NAMES,
    },
    beats=(
        Beat("a", "{a} had to give up the {event}", (
            "{b}, I have bad news. I have to cancel our {event}.",
            "Please do not be sad, {b}, but I cannot come to our {event}.",
            "I hate to say this, {b}: I will not make it to our {event}.",
        )),
        Beat("b", "{b} asked for the reason", (
            "Oh, what a shame! What happened?",
            "No! I was so happy about it. Why not?",
            "Really? Is everything all right?",
        )),
        Beat("a", "{a} explained that {reason}", (
            "Yes, but {reason}. There is nothing I can do.",
            "It is simple: {reason}, so I am stuck here.",
            "I only heard it now, but {reason}.",
        )),
        Beat("a", "{a} wanted to do it {day}", (
            "Could we do it {day}? Then I have all the time in the world.",
            "I would be free {day}, if you still want to.",
            "Let us try again {day}. I promise to be there!",
        ), slip="day"),
        Beat("b", "{b} agreed and wanted to inform {friend}", (
            "I understand, that is fine. I will tell {friend} about it.",
            "Ok, why not. Somebody must tell {friend}, I will do that.",
            "Sure, things happen. I will write to {friend} right away.",
        ), slip="friend"),
    ),
    summaries=(
        "{a} has to cancel the {event} because {reason}. They will do it {day}, and {b} will tell"
        " {friend}.",
        "{a} cannot come to the {event}, because {reason}. They will do it {day} and {b} will tell"
        " {friend}.",
        "The {event} of {a} and {b} will be {day}, because {reason}. {b} will tell {friend}.",
    ),
    questions=(
        ("Who cannot come?", "{a}"),
        ("Why not?", "because {reason}"),
        ("Who informs {friend}?", "{b}"),
        ("What is the new date?", "{day}"),
        ("Who must hear about it?", "{friend}"),
    ),
    todos=(("b", "inform {friend}"), ("a", "keep some time free {day} for {b}")),
)

TROUBLES = (LATE, LOST, REPAIR, PLUMBER, DOCTOR, CANCELLATION)
