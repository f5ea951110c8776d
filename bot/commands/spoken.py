"""Recognises commands in messages, the same on every platform.

A command is `/…`; its bare name; or its name followed by a number, a time or quoted words. Anything else is talk,
whatever its first word: "forget about that, what's the capital of Peru?".
"""

import re
from datetime import datetime
from typing import NamedTuple

from bot.commands.registry import BY_NAME
from bot.text import time_expressions

_NAMES = "|".join(BY_NAME)
_WITH_SLASH = re.compile(rf"/({_NAMES})(?:\s+(.*))?", re.IGNORECASE | re.DOTALL)
_IN_WORDS = re.compile(rf"({_NAMES})(?:[.!?]*|\s+(\S.*))", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"#?[0-9]{1,9}")
#: One quotation, not a sentence that begins and ends with quotations; apostrophes are within words.
_QUOTED = re.compile(r"[\"“”„«「]([^\"“”„«»「」]+)[\"“”»」]|['‘‹]((?:[^'‘’‹›]|(?<=\w)['’](?=\w))+)['’›]", re.DOTALL)
#: A code of `/link`: "link me to the plan" is talk.
_CODE = re.compile(r"[A-Z0-9]{4}-[A-Z0-9]{4}|(?=[A-Z]{0,7}[0-9])[A-Z0-9]{8}", re.IGNORECASE)
#: Longer texts are talk: no number or time is that long, nor anything that people would quote.
_LONGEST = 200


class Spoken(NamedTuple):
    """A command's name, its argument, and whether it began with a slash."""

    name: str
    argument: str
    slash: bool


def command(text: str, at: datetime) -> Spoken | None:
    """Parse a message, written at that local time, as a command; None if it is talk."""
    text = text.strip()
    if found := _WITH_SLASH.fullmatch(text):
        return Spoken(found[1].lower(), (found[2] or "").strip(), slash=True)
    if len(text) > _LONGEST or (found := _IN_WORDS.fullmatch(text)) is None:
        return None
    name, argument = found[1].lower(), (found[2] or "").strip()
    if not argument:
        return Spoken(name, "", slash=False)
    takes = BY_NAME[name].argument
    if takes is None:
        return None
    if takes.kind == "code":
        return Spoken(name, argument, slash=False) if _CODE.fullmatch(argument) else None
    argument = argument.rstrip(".!?").rstrip() or argument
    if takes.kind == "switch":
        return Spoken(name, argument, slash=False) if argument.casefold() in ("on", "off") else None
    if quoted := _QUOTED.fullmatch(argument):
        words = (quoted[1] or quoted[2]).strip()
        return Spoken(name, words, slash=False) if words else None
    meant = (
        _NUMBER.fullmatch(argument)
        or time_expressions.alone(argument, at)
        or argument.casefold() in ("everything", "all")
    )
    return Spoken(name, argument, slash=False) if meant else None
