"""What the benchmark of cost says: a first conversation, what was said before it, and what it costs."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from tests.fakes.claude import Request, is_extraction, last_text


@dataclass(frozen=True)
class Price:
    """Dollars per million tokens; `write` and `read`, of the input's: what the cache of five minutes costs."""

    model: str
    input: float
    output: float
    write: float = 1.25
    read: float = 0.10


HAIKU = Price("Haiku 5.5", 0.10, 0.50)
SONNET = Price("Sonnet 5.5", 2.0, 10.0)

BURSTS = (4, 3, 3)


@dataclass(frozen=True)
class StoredMessage:
    """A message, its answer, the facts in it, and which earlier fact (by its text's beginning) the first replaces."""

    text: str
    answer: str
    facts: tuple[str, ...] = ()
    replaces: str = ""


MESSAGES = (
    StoredMessage(
        "Hi! I'm Nora, I just moved from Bergen to Ghent for a job at the university hospital.",
        "Welcome to Ghent, Nora! How are you settling in?",
        (
            "User's name is Nora",
            "Nora moved from Bergen to Ghent in November 2026 for a job at the university hospital",
        ),
    ),
    StoredMessage(
        "Slowly. My sister Ida is staying with me until Christmas to help unpack.",
        "That's kind of her. Boxes go twice as fast with two people and music.",
        ("Nora's sister Ida is staying with her in Ghent until Christmas 2026 to help unpack",),
    ),
    StoredMessage(
        "What's a good place for dinner tonight? I'm vegetarian, and Ida can't have nuts.",
        "Ghent is a fine city for that. Try a vegetarian place around the Vrijdagmarkt, and mention the nuts.",
        ("Nora is vegetarian", "Nora's sister Ida can't eat nuts"),
    ),
    StoredMessage("Perfect, thanks!", "Enjoy your evening, both of you."),
    StoredMessage(
        "My first shift is on Monday at seven. Could you give me three tips for a first day on a ward?",
        "1) Come ten minutes early. 2) Write down every name. 3) Ask where the coffee is: that's where the ward talks.",
        ("Nora's first shift at the university hospital in Ghent is on Monday, November 23, 2026 at seven",),
    ),
    StoredMessage("Ha, number three is the best one.", "It never fails."),
    StoredMessage(
        "How do I say 'I'm the new physiotherapist' in Dutch?",
        '"Ik ben de nieuwe kinesitherapeut": in Flanders that\'s the word, rather than "fysiotherapeut".',
        ("Nora works as a physiotherapist at the university hospital in Ghent and is learning Dutch phrases for it",),
    ),
    StoredMessage(
        "They moved my start to Wednesday, by the way.",
        "Two more days to unpack, then. I'll keep Wednesday in mind.",
        ("Nora's first shift at the hospital was moved to Wednesday, November 25, 2026",),
        replaces="Nora's first shift",
    ),
    StoredMessage(
        "I'm thinking of buying a bike. I used to race when I was a student.",
        "A city bike with good locks will serve you best here. What did you race?",
        ("Nora is thinking of buying a bike in Ghent", "Nora raced bikes when she was a student"),
    ),
    StoredMessage(
        "Cyclocross, mostly. Mud everywhere!",
        "Then you've moved to the right country: the season is in full swing.",
        ("Nora mostly raced cyclocross as a student",),
    ),
)
NEIGHBOUR = StoredMessage("I keep two hens.", "What are they called?", ("User keeps two hens",))


def _relations() -> Iterator[StoredMessage]:
    """Two dozen exchanges, each with two facts that a person may tell over weeks."""
    people = "Eva Jonas Mira Tom Lotte Emil Sara Piet Astrid Oskar Greta Luuk Hanne Felix Wout Ingrid Arne Bram"
    jobs = "carpenter nurse baker pilot teacher gardener lawyer cook tailor dentist"
    towns = "Antwerp Bruges Leuven Oslo Stavanger Utrecht Cologne Lille"
    habits = "sailing climbing skating birdwatching camping rowing bowling"
    kin = "cousin colleague neighbour"
    cycles = (people.split(), jobs.split(), towns.split(), habits.split(), kin.split())
    for number in range(24):
        name, job, town, habit, who = (cycle[number % len(cycle)] for cycle in cycles)
        name += " Berg" if number >= len(cycles[0]) else ""
        yield StoredMessage(
            f"My {who} {name}, the {job} from {town}, is coming over; we want to go {habit} on Saturday if it's dry.",
            f"That sounds like a fine weekend. I hope {name} brings the good weather along from {town}.",
            (
                f"Nora's {who} {name} works as a {job} and lives in {town}",
                f"Nora goes {habit} with her {who} {name} on Saturdays when it's dry",
            ),
        )


#: What somebody has said who has been around for weeks.
EARLIER = tuple(_relations())


def _talk() -> Iterator[StoredMessage]:
    """Sixteen exchanges of some length, one fact in each."""
    rooms = "kitchen hall bedroom study bathroom cellar attic garage porch pantry studio laundry nursery den loft shed"
    for number, room in enumerate(rooms.split()):
        yield StoredMessage(
            f"Now the {room}: it is some {10 + number} square metres, faces north, and has a window over the yard. The"
            " walls are lime plaster on brick and a bit damp at the bottom, the floor is old pine under two layers of"
            f" paint. I can spend {100 + number * 10} euros and two weekends. What would you do first, what last?",
            f"For the {room} I'd begin with the damp, because all the rest depends on it: look at the gutter and the"
            " ground outside first, since water mostly comes from there, and let the wall dry for some weeks before you"
            " paint. Use a lime or silicate paint, which lets the wall breathe; emulsion would trap the moisture and"
            " peel. Meanwhile test one board of the floor with a heat gun: if the pine below is sound, sanding and oil"
            " will do, and both fit into your budget if you rent the machine for a single day. Leave the window for"
            f" last. In the {room} a warm white and a light floor give back what the north side takes away,"
            " and a mirror opposite the window costs nothing. In the second weekend put the skirting boards back,"
            " with a finger's width of air behind them, and you are done.",
            (f"Nora is renovating the {room} of her flat and wants to oil its pine floor",),
        )


#: A longer conversation.
TALK = tuple(_talk())
ALL = (*MESSAGES, *EARLIER, NEIGHBOUR, *TALK)


@dataclass(frozen=True)
class Bill:
    """Calls, and tokens by kind."""

    calls: int = 0
    input: int = 0
    cache_creation: int = 0
    cache_read: int = 0
    output: int = 0

    def __add__(self, other: "Bill") -> "Bill":
        mine, theirs = asdict(self), asdict(other)
        return Bill(**{kind: mine[kind] + theirs[kind] for kind in mine})

    def __sub__(self, other: "Bill") -> "Bill":
        mine, theirs = asdict(self), asdict(other)
        return Bill(**{kind: mine[kind] - theirs[kind] for kind in mine})

    def dollars(self, price: Price, messages: int = len(MESSAGES)) -> float:
        """For a thousand messages, where it is what so many took."""
        inputs = self.input + price.write * self.cache_creation + price.read * self.cache_read
        return (price.input * inputs + price.output * self.output) / 1e6 * 1000 / messages


def respond(request: Request) -> str:
    """In a chat, the answer to its last message; else the facts of the new messages, in the form that is asked for."""
    if is_extraction(request):
        return _extracted(request)
    asked = last_text(request)
    return next(said.answer for said in ALL if said.text == asked)


def _extracted(request: Request) -> str:
    before, _, new = last_text(request).partition("\n\n## New Messages\n")
    existing = json.loads(before.split("\n\n## Existing Memories\n", 1)[1])
    by_schema = "output_config" in request
    found: list[dict[str, Any]] = []
    told = [said for said in ALL if f"user: {said.text}\n" in new]
    if not told:
        raise ValueError("none of the messages is in the prompt")
    for number, said in enumerate(told, 1):
        for index, text in enumerate(said.facts):
            fact: dict[str, Any] = {"id": str(len(found)), "text": text, "attributed_to": "user"}
            if by_schema:
                fact["source"] = number
                old = [
                    memory["id"] for memory in existing if said.replaces and memory["text"].startswith(said.replaces)
                ]
                fact |= {"supersedes": old} if old and not index else {}
            found.append(fact)
    return json.dumps({"memory": found})
