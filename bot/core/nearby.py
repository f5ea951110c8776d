"""Messages around a question on its platform: selected, quoted, and kept distinct from what the person says."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import tzinfo

from bot.core.asides import without
from bot.model import Nearby
from bot.text.clean import one_line

#: Characters that the messages around a question may take in all, and each of them: enough to see what is meant.
BUDGET = 8_000
LONGEST = 2_000


def chosen(found: Sequence[Nearby], unused: set[str], budget: int = BUDGET) -> tuple[Nearby, ...]:
    """What goes into a request, oldest first: the newest messages that fit into `budget` and aren't `unused`.

    The message that the question replies to always fits.
    """
    room, picked = budget, list[Nearby]()
    new = [message for message in map(_alone, found) if message.id not in unused and message.text.strip()]
    for message in sorted(new, key=lambda message: (message.above, message.at), reverse=True):
        text = message.text if len(message.text) <= LONGEST else f"{message.text[:LONGEST]}…"
        room -= len(text)
        if room < 0:
            break
        picked.append(replace(message, text=text))
    order = {message.id: place for place, message in enumerate(new)}
    return tuple(sorted(picked, key=lambda message: order[message.id]))


def _alone(message: Nearby) -> Nearby:
    """One of the bot's answers without what was said with it and is no part of it."""
    return message if message.author else replace(message, text=without(message.text).made)


def others(nearby: Iterable[Nearby], person_key: str) -> tuple[str, ...]:
    """The ids of messages that aren't the person's own words: one of the bot's answers may repeat somebody else's."""
    return tuple(message.id for message in nearby if message.person_key != person_key)


def block(nearby: Sequence[Nearby], person_key: str, zone: tzinfo | None) -> str:
    """The messages quoted, each with its author and time in that zone, and which of them the question replies to."""
    nearby = [replace(message, at=message.at.astimezone(zone)) for message in nearby]
    around = [message for message in nearby if not message.above]
    parts = []
    if around:
        parts.append("(Said around this, for context:)\n" + "\n".join(_line(message, person_key) for message in around))
    parts += [f"(In reply to this message:)\n{_line(message, person_key)}" for message in nearby if message.above]
    return "\n\n".join(parts)


def _line(message: Nearby, person_key: str) -> str:
    """One message, every line marked so that it can't pass for the text around it."""
    who = one_line(message.author)[:80] if message.author else "you"
    if message.person_key and message.person_key == person_key:
        who += " (who asks)"
    first, *rest = message.text.splitlines() or [""]
    return "\n".join([f"> [{message.at:%Y-%m-%d %H:%M %Z}] {who}: {first}", *(f">   {line}" for line in rest)])
