"""Word lists that the whole synthetic world shares.

Every value is a phrase that is ready to be put into a sentence: an article or a preposition is part
of it. No value is contained in another of the same list, so that a withdrawn value ("on Friday")
can be distinguished from the one that replaced it.
"""

# No name ends in "s", so that a possessive is always the name and "'s".
NAMES = (
    "Adam", "Alice", "Amy", "Anna", "Anton", "Ben", "Bella", "Brian", "Carla", "Carol",
    "Clara", "Daniel", "David", "Diana", "Dora", "Ed", "Ella", "Emil", "Emma", "Eric",
    "Eva", "Felix", "Fiona", "Frank", "Fred", "George", "Grace", "Greta", "Hannah", "Harry",
    "Helen", "Henry", "Ian", "Ida", "Irene", "Isabel", "Ivan", "Jack", "Jane", "Jim",
    "Julia", "Karen", "Kate", "Kevin", "Kim", "Laura", "Leo", "Lena", "Linda", "Lucy",
    "Luke", "Maria", "Mark", "Martin", "Max", "Mia", "Mike", "Milo", "Nadia", "Nina",
    "Nora", "Olga", "Oliver", "Oscar", "Paul", "Paula", "Peter", "Rachel", "Robert", "Rosa",
    "Ruth", "Sam", "Sarah", "Simon", "Sofia", "Susan", "Tim", "Tom", "Vera", "Victor",
)  # fmt: skip

WEEKDAYS = (
    "on Monday", "on Tuesday", "on Wednesday", "on Thursday", "on Friday", "on Saturday",
    "on Sunday",
)  # fmt: skip

DAYS = (*WEEKDAYS, "tomorrow")

TIMES = (
    "at 3", "at 4", "at 5", "at 6", "at 7", "at 8", "at 9", "at 10", "at noon",
    "at 1:30", "at 2:15", "at 11:30", "at 12:45",
)  # fmt: skip

PLACES = (
    "at the airport", "at the bakery", "at the beach", "at the bookshop", "at the bridge",
    "at the bus stop", "at the church", "at the cinema", "at the city hall", "at the club",
    "at the corner shop", "at the fountain", "at the gym", "at the harbour", "at the hospital",
    "at the hotel bar", "at the ice rink", "at the lake", "at the library", "at the market",
    "at the museum", "at the north gate", "at the office", "at the old mill", "at the opera",
    "at the petrol station", "at the pizza place", "at the playground", "at the pool",
    "at the post office", "at the school", "at the sports hall", "at the stadium",
    "at the supermarket", "at the tea house", "at the theatre", "at the train station",
    "at the university", "at the zoo", "in the castle garden", "in the city park",
    "in the green cafe",
)  # fmt: skip

KEY_PLACES = (
    "under the doormat", "in the letter box", "behind the bench", "under the flower pot",
    "in the left boot", "on the balcony", "with the neighbour", "behind the bins",
    "in the blue box", "next to the stairs",
)  # fmt: skip

CITIES = (
    "Paris", "Rome", "Berlin", "London", "Madrid", "Vienna", "Prague", "Dublin", "Oslo",
    "Lisbon", "Warsaw", "Milan", "Hamburg", "Glasgow", "Porto", "Zurich",
)  # fmt: skip

DISHES = (
    "a lasagne", "a curry", "a pizza", "a vegetable soup", "a fish pie", "a risotto",
    "a roast chicken", "a potato salad", "a mushroom stew", "a pot of chili",
)  # fmt: skip

TREATS = (
    "a chocolate cake", "a bottle of wine", "an apple pie", "a fruit salad", "some ice cream",
    "a bag of crisps", "a box of cookies", "some fresh bread", "a cheese plate",
    "some lemonade", "a bowl of nuts", "some grapes",
)  # fmt: skip

GROCERIES = (
    "milk", "eggs", "butter", "rice", "tomatoes", "onions", "carrots", "flour", "yoghurt",
    "apples", "bananas", "coffee", "honey", "garlic", "lemons", "spinach",
)  # fmt: skip

TOOLS = (
    "a tent", "a drill", "a ladder", "a suitcase", "a sleeping bag", "a camera", "a bike",
    "a guitar", "a projector", "a sewing machine", "a grill", "a big pot", "a toolbox",
    "a folding table", "an air mattress", "an electric saw",
)  # fmt: skip

PRICES = (
    "20 euros", "25 euros", "30 euros", "40 euros", "45 euros", "60 euros", "75 euros",
    "80 euros", "90 euros",
)  # fmt: skip

REASONS = (
    "the car broke down", "the boss called a meeting", "the train was cancelled",
    "the baby is sick", "the bus never came", "the roads are icy", "the alarm did not ring",
    "there is a long traffic jam", "there is a strike", "a tooth hurts badly",
)  # fmt: skip
