"""`list_memories`: how much is remembered of the person that may be heard in this place, and the newest of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.core.tools.toolbox import Kit, Toolbox, schema
from bot.model import Memory, Result, Tool
from bot.ports import MemoryUnavailable

#: Memories that are listed, and characters of each.
NEWEST = 20
SHOWN = 300

LISTED = "You remember {count} of this person that may be heard here{former}. The newest first:"
NOTHING = "You remember nothing of this person that may be heard here."
ELSEWHERE = (
    "There is more that was told elsewhere and isn't shown here. A button below your answer lets them alone see it "
    "all: say so."
)
BUTTON = "A button below your answer opens the whole list, for them alone."
#: The same for the person.
PLAIN, PLAIN_NOTHING = "Here is what I have noted, the newest first:", "I have nothing noted about you yet."
UNREACHABLE = Result("What you remember can't be reached right now, so nothing was looked up.", failed=True)


async def _list(box: Toolbox, _arguments: Mapping[str, Any]) -> Result:
    if refusal := box.unusable():
        return refusal
    try:
        found = await box.shop.memory.list(box.found.account.user_id)
    except (MemoryUnavailable, TimeoutError):
        return UNREACHABLE
    scopes = box.found.event.recallable
    heard = [memory for memory in found if scopes is None or memory.scope in scopes]
    box.offer_memories()
    now = [memory for memory in heard if not memory.superseded_by]
    lines = [box.line(memory, SHOWN) for memory in now[:NEWEST]]
    read = [box.line(memory, SHOWN, plain=True) for memory in now[:NEWEST]]
    plain = "\n".join([PLAIN, *read]) if read else PLAIN_NOTHING
    told = [*_told(heard, now), *lines, ELSEWHERE if len(heard) < len(found) else BUTTON]
    return Result("\n".join(told), plain=plain)


def _told(heard: Sequence[Memory], now: Sequence[Memory]) -> list[str]:
    former = len(heard) - len(now)
    if not now:
        return [NOTHING]
    count = "1 thing" if len(now) == 1 else f"{len(now)} things"
    return [LISTED.format(count=count, former=f", and {former} more that no longer hold" if former else "")]


DESCRIPTION = """\
Lists what you remember of the person you are talking to: how much there is, and the newest. Use it when they ask \
what you know or remember about them. In a channel it holds only what may be heard there."""

LIST = Kit(Tool("list_memories", DESCRIPTION, schema({})), _list)
