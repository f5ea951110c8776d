"""Reading what a memory model answers: rows of facts, from a model that keeps to the schema and from one that doesn't.

A model behind a compatible server may know no schemas: it puts its JSON into a code block, adds a sentence, thinks
aloud, or gets a row wrong. What can be read is read, and what can't is left out and counted.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bot.chat.thoughts import spoken
from bot.text.clean import printable

#: Characters of an answer that are read: several times what its token limit allows.
LONGEST_ANSWER = 200_000
#: Characters of a fact; a longer one ends there.
LONGEST_FACT = 2_000

#: Places in a text at which JSON is looked for.
_TRIES = 20
_DIGITS = 18
_START = re.compile(r"[{\[]")
_LISTED = re.compile(r'"(?:memory|memories|facts)"\s*:\s*\[')
_LISTS = ("memory", "memories", "facts")
_TEXTS = ("text", "memory", "fact", "content")
_SPEAKERS = ("user", "assistant")


def _whole_number(digits: str) -> int:
    """Python refuses numbers of thousands of digits, and no number here has more than a few."""
    return int(digits) if len(digits) <= _DIGITS else 0


# Weak models leave line breaks inside strings as they are.
_DECODER = json.JSONDecoder(strict=False, parse_int=_whole_number)


class Unreadable(Exception):
    """An answer holds no list of facts."""


@dataclass(frozen=True, slots=True)
class Row:
    """One fact as the model gives it; `source` and `supersedes` are whatever it says, of any type."""

    text: str
    speaker: str
    source: object = None
    supersedes: object = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of an answer.

    Attributes:
        rows: The facts.
        plain: Whether the answer was JSON and nothing else, as the schema has it.
        whole: Whether the list was read to its end.
        bad: How many rows were no facts.
        cut: How many facts were longer than a fact may be.
    """

    rows: tuple[Row, ...]
    plain: bool
    whole: bool
    bad: int = 0
    cut: int = 0


def read(answer: str) -> Reading:
    """The facts of an answer; raises Unreadable where it holds none of its rows, or no list."""
    text = spoken(answer[:LONGEST_ANSWER], unopened=True).strip()
    found = _decoded(text, 0)
    plain = found is not None and found[1] == len(text) and isinstance(found[0], dict) and "memory" in found[0]
    listed = _listed(found[0]) if found is not None else None
    if listed is None:
        listed = _within(text)
    whole = listed is not None and len(answer) <= LONGEST_ANSWER
    if listed is None:
        listed = list(_begun(text))
        if not listed:
            raise Unreadable("no list of facts")
    rows = [row for each in listed if (row := _row(each)) is not None]
    if listed and not rows:
        raise Unreadable("no row is a fact")
    told = tuple(row for row in rows if row.text)
    cut = tuple(
        Row(row.text[: LONGEST_FACT - 1] + "…", row.speaker, row.source, row.supersedes)
        if len(row.text) > LONGEST_FACT
        else row
        for row in told
    )
    changed = sum(len(row.text) > LONGEST_FACT for row in told)
    return Reading(cut, plain, whole, bad=len(listed) - len(rows), cut=changed)


def _decoded(text: str, at: int) -> tuple[Any, int] | None:
    """The JSON value that begins there and where it ends; None where there is none, or one nested too deep."""
    try:
        return _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None


def _listed(value: object) -> list[Any] | None:
    """The list of facts that a value is or holds."""
    if isinstance(value, dict):
        return next((value[name] for name in _LISTS if isinstance(value.get(name), list)), None)
    # An empty one somewhere in a sentence isn't the answer that there is nothing.
    return value if isinstance(value, list) and value and all(isinstance(each, dict) for each in value) else None


def _within(text: str) -> list[Any] | None:
    """The list of facts somewhere in a text, such as in a code block behind a sentence."""
    at = 0
    for _ in range(_TRIES):
        if (start := _START.search(text, at)) is None:
            return None
        found = _decoded(text, start.start())
        if found is not None and (listed := _listed(found[0])) is not None:
            return listed
        at = found[1] if found is not None else start.end()
    return None


def _begun(text: str) -> Iterator[Any]:
    """The rows of a list that breaks off, as far as they are whole."""
    if (opening := _LISTED.search(text)) is None:
        return
    at = opening.end()
    while (start := text.find("{", at)) >= 0 and (found := _decoded(text, start)) is not None:
        yield found[0]
        at = found[1]


def _row(each: object) -> Row | None:
    if isinstance(each, str):
        return Row(printable(each).strip(), "user")
    if not isinstance(each, dict):
        return None
    text = next((each[name] for name in _TEXTS if isinstance(each.get(name), str)), None)
    if text is None:
        return None
    speaker = each.get("attributed_to")
    return Row(
        printable(text).strip(),
        speaker if speaker in _SPEAKERS else "user",
        each.get("source"),
        each.get("supersedes"),
    )
