"""Parses a memory model's answer: rows of facts, from a model that follows the schema or one that doesn't.

A model behind a compatible server may ignore schemas: it puts its JSON into a code block, adds a sentence, thinks
aloud, or gets a row wrong. Whatever can't be parsed is skipped and counted.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bot.chat.thoughts import spoken
from bot.text.clean import clean

#: Characters read of an answer: several times what its token limit allows.
LONGEST_ANSWER = 200_000
#: Characters of a fact; a longer one is cut.
LONGEST_FACT = 2_000

#: Positions in a text at which JSON is looked for.
_TRIES = 20
_DIGITS = 18
_START = re.compile(r"[{\[]")
_LISTED = re.compile(r'"(?:memory|memories|facts)"\s*:\s*\[')
_LISTS = ("memory", "memories", "facts")
_TEXTS = ("text", "memory", "fact", "content")
_SPEAKERS = ("user", "assistant")


def _whole_number(digits: str) -> int:
    """Python rejects numbers with thousands of digits; valid ones here have only a few."""
    return int(digits) if len(digits) <= _DIGITS else 0


# Weak models don't escape line breaks in strings.
_DECODER = json.JSONDecoder(strict=False, parse_int=_whole_number)


class Unreadable(Exception):
    """An answer without a list of facts."""


@dataclass(frozen=True, slots=True)
class ExtractedFact:
    """One fact from the model. `source` and `supersedes` aren't validated: they can have any type."""

    text: str
    speaker: str
    source: object = None
    supersedes: object = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A parsed answer.

    Attributes:
        rows: The facts.
        plain: Whether the answer was JSON alone, as the schema requires.
        whole: Whether the list is complete.
        bad: How many rows weren't facts.
        cut: How many facts were too long, and cut.
    """

    rows: tuple[ExtractedFact, ...]
    plain: bool
    whole: bool
    bad: int = 0
    cut: int = 0


def read(answer: str) -> Reading:
    """Parse an answer. Raises Unreadable if it has no list, or none of the list's rows is a fact."""
    text = spoken(answer[:LONGEST_ANSWER], unopened=True).strip()
    found = _decoded(text, 0)
    plain = found is not None and found[1] == len(text) and isinstance(found[0], dict) and "memory" in found[0]
    listed = _listed(found[0]) if found is not None else None
    if listed is None:
        listed = _within(text)
    whole = listed is not None and len(answer) <= LONGEST_ANSWER
    if listed is None:
        listed = list(_partial_rows(text))
        if not listed:
            raise Unreadable("no list of facts")
    rows = [row for value in listed if (row := _row(value)) is not None]
    if listed and not rows:
        raise Unreadable("no row is a fact")
    facts = tuple(row for row in rows if row.text)
    cut = tuple(
        ExtractedFact(row.text[: LONGEST_FACT - 1] + "…", row.speaker, row.source, row.supersedes)
        if len(row.text) > LONGEST_FACT
        else row
        for row in facts
    )
    changed = sum(len(row.text) > LONGEST_FACT for row in facts)
    return Reading(cut, plain, whole, bad=len(listed) - len(rows), cut=changed)


def _decoded(text: str, at: int) -> tuple[Any, int] | None:
    """The JSON value at that position, and its end; None if there is none, or it is nested too deeply."""
    try:
        return _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None


def _listed(value: object) -> list[Any] | None:
    """The list of facts that a value is or contains."""
    if isinstance(value, dict):
        return next((value[name] for name in _LISTS if isinstance(value.get(name), list)), None)
    # An empty list somewhere in a sentence doesn't mean that there are no facts.
    return value if isinstance(value, list) and value and all(isinstance(row, dict) for row in value) else None


def _within(text: str) -> list[Any] | None:
    """The list of facts somewhere in a text, such as in a code block after a sentence."""
    at = 0
    for _ in range(_TRIES):
        if (start := _START.search(text, at)) is None:
            return None
        found = _decoded(text, start.start())
        if found is not None and (listed := _listed(found[0])) is not None:
            return listed
        at = found[1] if found is not None else start.end()
    return None


def _partial_rows(text: str) -> Iterator[Any]:
    """The complete rows of a list that breaks off."""
    if (opening := _LISTED.search(text)) is None:
        return
    at = opening.end()
    while (start := text.find("{", at)) >= 0 and (found := _decoded(text, start)) is not None:
        yield found[0]
        at = found[1]


def _row(value: object) -> ExtractedFact | None:
    if isinstance(value, str):
        return ExtractedFact(clean(value).strip(), "user")
    if not isinstance(value, dict):
        return None
    text = next((value[name] for name in _TEXTS if isinstance(value.get(name), str)), None)
    if text is None:
        return None
    speaker = value.get("attributed_to")
    return ExtractedFact(
        clean(text).strip(),
        speaker if speaker in _SPEAKERS else "user",
        value.get("source"),
        value.get("supersedes"),
    )
