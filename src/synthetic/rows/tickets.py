"""Support tickets of a shop, each with the department that has to answer it.

A ticket holds one request, whose department is the label, and mostly something of another
department: a matter that is settled, or a second request that can wait. All departments share
their words (charged, account, parcel, refund, …). Which of two requests cannot wait is a matter of
order, which counts of words do not hold.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

SETTLED_RATE = 0.45
SECOND_REQUEST_RATE = 0.35
GREETING_RATE = 0.5
CLOSING_RATE = 0.6


@dataclass(frozen=True)
class Department:
    """A label; `weight` is how often it comes, `settled` what is said of it in passing."""

    label: str
    weight: int
    requests: tuple[str, ...]
    settled: tuple[str, ...]


DEPARTMENTS = (
    Department(
        "billing",
        6,
        (
            "I was charged twice for the {product}.",
            "My invoice says {amount}, but the {product} was offered for less.",
            "Why was {amount} taken from my bank account {day}?",
            "The discount is missing from the invoice for the {product}.",
            "You charged me for express delivery, which I did not choose.",
            "The refund for the {product} that I sent back has not been paid yet.",
            "I need an invoice for the {product} with the name of my company on it.",
            "My card was charged, although the payment page showed an error.",
            "There is a fee of {amount} on my bill that nobody told me about.",
            "I cancelled the order {day} and was charged {amount} all the same.",
        ),
        (
            "The invoice over {amount} is paid.",
            "Thank you for correcting the bill.",
            "I paid {amount} by card {day}.",
            "The refund came {day}.",
        ),
    ),
    Department(
        "delivery",
        5,
        (
            "The {product} that I paid for {day} has not been delivered.",
            "My parcel says delivered, but there was no {product} at my door.",
            "Where is my order? The app shows the same place since {weekday}.",
            "Please send the parcel to another address, I am away {day}.",
            "The driver left the {product} with a neighbour that I do not know.",
            "The parcel with the {product} was open and half empty when it came.",
            "I was promised the {product} for {weekday}, and it is still not here.",
            "Can the {product} be brought {day} in the evening?",
            "The tracking number of my order does not work.",
            "You sent one parcel of two, the {product} is missing.",
        ),
        (
            "The parcel came {day}.",
            "The delivery was quick.",
            "The {product} was delivered {day}.",
            "The driver was very friendly.",
        ),
    ),
    Department(
        "technical",
        4,
        (
            "The {product} does not turn on any more.",
            "The app closes when I want to look at my order.",
            "The screen of the {product} stays dark since the update.",
            "The {product} does not connect to my phone, it shows error {number}.",
            "The payment page freezes before I can enter my card.",
            "The {product} gets hot after an hour and turns off.",
            "How do I reset the {product}? The button does nothing.",
            "Your website shows error {number} when I open the return form.",
            "Since {weekday} the {product} makes a strange noise.",
            "The battery of the {product} is empty after an hour.",
        ),
        (
            "The {product} works well.",
            "The app works again since {weekday}.",
            "I found out how to connect the {product}.",
            "The update was easy.",
        ),
    ),
    Department(
        "account",
        3,
        (
            "I cannot log in, the app says that my password is wrong.",
            "Please change the delivery address of my account.",
            "I want to close my account, with all data and old invoices.",
            "Somebody else has ordered a {product} with my account.",
            "My email address is new, how do I change it?",
            "The link to reset my password does not come.",
            "My account shows an order that is not mine.",
            "Please remove my old card from my account.",
            "I have two accounts and want to have my orders in one.",
            "My account has been blocked since {weekday}, and I do not know why.",
        ),
        (
            "I can log in again.",
            "I have changed my password {day}.",
            "My new address is in my account.",
            "I have been a customer for {years} years.",
        ),
    ),
    Department(
        "returns",
        2,
        (
            "I want to send the {product} back, it is too small.",
            "Which address do I send the {product} back to?",
            "The {product} is not what I ordered, can I exchange it?",
            "How long can I return a {product} that I bought {day}?",
            "The return label for the {product} cannot be printed.",
            "Nobody came {day} to pick up the {product} that I want to return.",
            "I do not like the colour of the {product}, please take it back.",
            "Can I give the {product} back in a shop, and get my money there?",
            "I want another {product} instead of this one, it has a scratch.",
            "I returned two parcels, and you say that you have one.",
        ),
        (
            "The {product} that I sent back has reached you.",
            "I do not want to return the {product}.",
            "The exchange of the {product} went well.",
            "The return was easy.",
        ),
    ),
)
# Around two requests: what marks the first, or the second, as the one to be answered.
FIRST_COUNTS = (
    "{first} When that is done, one more thing: {second}",
    "{first} Less urgent, for another day: {second}",
    "{first} There is something else, but it can wait: {second}",
    "{first} I will write again about the other matter: {second}",
)
SECOND_COUNTS = (
    "{first} That can wait. What I need now: {second}",
    "{first} But never mind that today. {second}",
    "{first} I have written about that already. This is new: {second}",
    "{first} More urgent is this: {second}",
)
GREETINGS = ("Hello!", "Hi!", "Good morning.", "Good evening.", "Hello again.", "Dear team!")
CLOSINGS = (
    "My order number is {order}.",
    "Order {order}.",
    "Please answer {day}.",
    "Thank you for your help.",
    "Please call me back.",
    "I am waiting for your answer. Order {order}.",
)
PRODUCTS = (
    "lamp", "radio", "kettle", "camera", "speaker", "keyboard", "monitor", "printer", "toaster",
    "vacuum cleaner", "coffee machine", "desk chair", "phone case", "tablet", "router", "blender",
    "bicycle lamp", "heater", "clock", "drill", "mixer", "fan", "headset", "watch", "tent",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_URN = tuple(department for department in DEPARTMENTS for _ in range(department.weight))


def pick(rng: random.Random, options: Sequence[T]) -> T:
    """One of the options, each as likely."""
    return options[int(rng.random() * len(options))]


def ticket(rng: random.Random) -> dict[str, str]:
    """One ticket: its `text`, and its department as the `label`."""
    department = pick(rng, _URN)
    other = pick(rng, [each for each in _URN if each is not department])
    body = _filled(rng, pick(rng, department.requests))
    drawn = rng.random()
    if drawn < SECOND_REQUEST_RATE:
        second = _filled(rng, pick(rng, other.requests))
        if rng.random() < 0.5:
            body = pick(rng, FIRST_COUNTS).format(first=body, second=second)
        else:
            body = pick(rng, SECOND_COUNTS).format(first=second, second=body)
    elif drawn < SECOND_REQUEST_RATE + SETTLED_RATE:
        parts = [body, _filled(rng, pick(rng, other.settled))]
        body = " ".join(parts if rng.random() < 0.5 else parts[::-1])
    greeting = pick(rng, GREETINGS) if rng.random() < GREETING_RATE else ""
    closing = _filled(rng, pick(rng, CLOSINGS)) if rng.random() < CLOSING_RATE else ""
    return {"text": " ".join(filter(None, (greeting, body, closing))), "label": department.label}


def _filled(rng: random.Random, sentence: str) -> str:
    """A sentence with values of its own."""
    weekday = pick(rng, WEEKDAYS)
    return sentence.format(
        product=pick(rng, PRODUCTS),
        day=f"on {weekday}",
        weekday=weekday,
        amount=f"{5 + int(rng.random() * 240)} dollars",
        number=10 + int(rng.random() * 90),
        years=2 + int(rng.random() * 8),
        order=1000 + int(rng.random() * 9000),
    )


def rows(rng: random.Random) -> Iterator[dict[str, str]]:
    """Endless rows of `text` and `label`; no text comes twice."""
    seen: set[str] = set()
    while True:
        drawn = ticket(rng)
        if drawn["text"] not in seen:
            seen.add(drawn["text"])
            yield drawn
