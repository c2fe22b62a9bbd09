"""The names of seeded people and rooms, and the texts of their messages."""

from __future__ import annotations

from random import Random

FIRST_NAMES = [
    "Ada",
    "Aiko",
    "Amara",
    "Anders",
    "Aylin",
    "Bea",
    "Bruno",
    "Carmen",
    "Chidi",
    "Clara",
    "Dario",
    "Delia",
    "Elif",
    "Emil",
    "Esra",
    "Farid",
    "Femi",
    "Greta",
    "Hana",
    "Hugo",
    "Ines",
    "Ioana",
    "Ivo",
    "Jana",
    "Jonas",
    "Kaito",
    "Karim",
    "Lale",
    "Leon",
    "Lucía",
    "Malik",
    "Marta",
    "Mei",
    "Milo",
    "Nadia",
    "Nils",
    "Noor",
    "Olga",
    "Omar",
    "Paula",
    "Pedro",
    "Priya",
    "Rafa",
    "Rania",
    "Sanna",
    "Selim",
    "Sofía",
    "Tariq",
    "Tomás",
    "Uma",
    "Vera",
    "Wanja",
    "Xenia",
    "Yara",
    "Yusuf",
    "Zofia",
]

LAST_NAMES = [
    "Abe",
    "Aksoy",
    "Bauer",
    "Costa",
    "Diallo",
    "Eriksen",
    "Fischer",
    "García",
    "Haddad",
    "Ito",
    "Jansen",
    "Khan",
    "Lindqvist",
    "Moreau",
    "Nowak",
    "Okafor",
    "Popescu",
    "Quispe",
    "Rossi",
    "Silva",
    "Tanaka",
    "Usman",
    "Vargas",
    "Weber",
    "Yildiz",
    "Zhang",
]

PLACES = [
    "Alfama",
    "Belém",
    "Coimbra",
    "Évora",
    "Faro",
    "Guimarães",
    "Lisbon",
    "Madeira",
    "Nazaré",
    "Óbidos",
    "Porto",
    "Sintra",
    "Tavira",
]

SUBJECTS = (
    "tickets",
    "the walking tour",
    "photos",
    "the night train",
    "dinner",
    "the flat",
    "surf lessons",
    "the museum",
    "day trips",
    "the ferry",
)

OPENINGS = (
    "I found {subject} for {place}.",
    "Has anybody booked {subject} yet?",
    "{place} was wonderful, you should all go.",
    "Can somebody share {subject}?",
    "The tram to {place} leaves at {hour}:{minute}.",
    "I would rather skip {subject}, honestly.",
    "Who takes care of {subject} in {place}?",
    "We meet at {hour}:{minute}, in front of the station in {place}.",
)

ANSWERS = (
    "Yes!",
    "Sounds good 👍",
    "Not me, sorry.",
    "On it.",
    "Thank you 🙏",
    "Let me check and come back to you.",
    "Perfect, {hour}:{minute} works for me.",
    "I can do {subject}, if somebody else does {place}.",
    "Could we move it to the afternoon? {place} is full of people before noon.",
    "Ha, same here.",
)


def person_name(random: Random) -> str:
    """Return a first and a last name."""
    return f"{random.choice(FIRST_NAMES)} {random.choice(LAST_NAMES)}"


def room_name(random: Random) -> str:
    """Return the name of a group."""
    subject = random.choice(SUBJECTS).removeprefix("the ")
    return f"{random.choice(PLACES)}: {subject}"


def sentence(random: Random) -> str:
    """Return a message."""
    form = random.choice(OPENINGS if random.random() < 0.4 else ANSWERS)
    return form.format(
        subject=random.choice(SUBJECTS),
        place=random.choice(PLACES),
        hour=random.randint(7, 22),
        minute=random.choice(("00", "15", "30", "45")),
    )
