"""Where a question is asked, as the model is told: the time there, who asks, and who reads along."""

import json

from bot import zones
from bot.events import MessageEvent
from bot.model import Audience
from bot.text.clean import one_line

#: Characters of a name.
NAME = 80


def sentences(event: MessageEvent) -> str:
    """The date and time for the person who asks; who and where the bot is; their name; and who can read along."""
    at, mine = event.at, _quoted(event.bot_name)
    time = f"Today is {at:%A, %Y-%m-%d}, and the time is {at:%H:%M} ({zones.label(at)})."
    me = f"You are {mine} on" if mine else "You are on"
    asker = _quoted(event.name) or "somebody"
    return f"{time} {me} {event.place.platform.title()}. You are talking to {asker} {_where(event)}"


def _where(event: MessageEvent) -> str:
    place = event.given or event.place
    if event.confidential or place.audience is Audience.PRIVATE:
        return "in private: nobody else reads along."
    named = _quoted(place.name) or "a channel"
    if place.external:
        return f"in {named}: people from outside their organisation may read along."
    if place.audience is Audience.MEMBERS:
        return f"in {named}, which is private: only its members read along."
    return f"in {named}, which is public: everybody there can read along."


def _quoted(name: str) -> str:
    """A name as a string that nothing in it can end; empty if there is none."""
    line = one_line(name)[:NAME]
    return json.dumps(line, ensure_ascii=False) if line else ""
