"""The conversation before a message: which of its turns are sent, and how they read.

A turn reads the same in every request that holds it, and turns leave in blocks: what has been sent once is then the
beginning of the next request, and read from the prompt cache.
"""

import re
from collections.abc import Sequence

from bot.model import Audience, Person, Place, Turn
from bot.text.clean import one_line

#: Characters of a name.
NAME = 80

_LABEL = re.compile(r"[ \t]{0,8}\[[0-9]{1,9}:")


def fitting(turns: Sequence[Turn], room: int) -> list[Turn]:
    """The newest turns that fit into `room` characters, beginning with a person's.

    When the next one doesn't fit, the oldest leave until half of the room is free. Which these are depends on the
    turns alone, so every process agrees.
    """
    kept: list[Turn] = []
    length = 0
    for turn in turns:
        if not turn.text:
            continue
        kept.append(turn)
        length += len(turn.text)
        if length <= room:
            continue
        while len(kept) > 1 and length > room // 2:
            length -= len(kept.pop(0).text)
        if length > room:
            kept, length = [], 0
    while kept and kept[0].author == "assistant":
        kept.pop(0)
    return kept


class Speakers:
    """Tells the people of a conversation apart, by numbers in the order of their first messages."""

    def __init__(self, turns: Sequence[Turn], person: Person, place: Place) -> None:
        """For a message by `person` after these turns."""
        keys = dict.fromkeys(turn.person_key for turn in turns if turn.author == "user")
        self._asker = person.key
        self._numbers: dict[str, int] = {}
        if place.audience is not Audience.PRIVATE and keys.keys() - {person.key}:
            self._numbers = {key: number for number, key in enumerate(keys, 1)}

    def message(self, turn: Turn) -> tuple[str, str]:
        """A turn's role and text, which begins with its author where there are several."""
        if turn.author == "assistant" or not self._numbers:
            return turn.author, turn.text
        name = one_line(turn.name).replace("[", "(").replace("]", ")")[:NAME]
        return "user", f"[{self._numbers[turn.person_key]}: {name}] {_unlabelled(turn.text)}"

    @property
    def sentence(self) -> str:
        """Which of the messages are the asker's; empty if there are no others'."""
        if not self._numbers:
            return ""
        number = self._numbers.get(self._asker)
        if number is None:
            return "None of the earlier messages is theirs."
        return f"Of the earlier messages, those that begin with [{number}: are theirs; nobody else's are."


def _unlabelled(text: str) -> str:
    """The text, with lines quoted that could pass for the beginning of somebody else's message."""
    if "[" not in text:
        return text
    first, *rest = text.splitlines() or [""]
    return "\n".join([first, *(f"> {line}" if _LABEL.match(line) else line for line in rest)])
