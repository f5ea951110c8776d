"""`/private`: keeps a conversation off the record, or ends that."""

from bot.actions import Record
from bot.commands.wording import OFF
from bot.core.identity import Identities
from bot.events import CommandEvent, PressEvent
from bot.model import Audience, Place
from bot.ports import OffRecord
from bot.views import Button, View

#: What `/private` may be followed by, and whether that keeps a conversation off the record.
WORDS = {"on": True, "off": False}


class Private:
    """Switches it for the caller alone. Raises what the journal raises."""

    def __init__(self, records: OffRecord, identities: Identities, *, hours: float = 24, remember: bool = True) -> None:
        """Turns are kept for so many `hours` (0: not at all). Without `remember` memory is off."""
        self._records = records
        self._identities = identities
        self._hours = hours
        self._remember = remember

    async def run(self, event: CommandEvent, words: str) -> View:
        """`/private on` and `off`; alone it switches to the other, and with anything else it says what holds."""
        if not self._remember:
            return OFF
        holds = (await self._identities.account(event.person, event.place)).off_record
        wanted = WORDS.get(words.casefold().rstrip(".!")) if words else not holds
        if wanted is None:
            return self._view(event.place, kept=holds, before=True)
        return await self._switch(event, kept=wanted, before=wanted == holds)

    async def press(self, event: PressEvent, *, kept: bool) -> View:
        """A button does the same."""
        return await self._switch(event, kept=kept, before=False) if self._remember else OFF

    async def _switch(self, event: CommandEvent | PressEvent, *, kept: bool, before: bool) -> View:
        switch = self._records.begin if kept else self._records.end
        await switch(event.person.key, event.place)
        return self._view(event.place, kept=kept, before=before)

    def _view(self, place: Place, *, kept: bool, before: bool) -> View:
        """What holds now; `before`: as it did before."""
        here = where(place)
        since = "" if before else " from now on"
        if kept:
            title = f"Off the record: I learn nothing from what you tell me {here}{since}."
            for_hours = f" for {self._hours:g} hours, as our recent conversation" if self._hours else ""
            stays = "I still answer" + (f", and know what was said{for_hours}" if self._hours else "")
            footer = f"{stays}. What I learned before stays, and is used. /private ends it."
            return View(title, footer=footer, buttons=(Button("Learn again", str(Record("on"))),))
        title = f"On the record: I learn from what you tell me {here}{since}."
        footer = "What you say off the record is never learned, not even later. /private keeps what follows off it."
        return View(title, footer=footer, buttons=(Button("Keep off the record", str(Record("off"))),))


def standing(place: Place) -> str:
    """What `/memories` says of it where it holds."""
    return f"Off the record: I learn nothing from what you tell me {where(place)}. /private ends that."


def where(place: Place) -> str:
    """A place, as its people call it."""
    if place.thread is not None:
        return "in this thread"
    return "in this conversation" if place.audience is Audience.PRIVATE else "in this channel"
