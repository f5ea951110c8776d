"""The messages of one answer on Discord: brought up to date with its text, in whatever form Discord takes it.

An answer that isn't whole ends with a cursor in at least one of its messages, at every instant: whoever finds it after
a crash can tell that, and finish it in place. What Discord refuses in one form is tried in another, each form once
(`adapters.discord.refusals` says which).
"""

import logging

from adapters.discord.lengths import split, units
from adapters.discord.markdown import Growing
from adapters.discord.messages import Messages, Pace, Question, Shown
from adapters.discord.recent import Places
from adapters.discord.refusals import NO_REPLIES, AnswerForm, Refused
from adapters.discord.text import LIMIT, message_key, without_links
from bot.ports import JournalUnavailable

log = logging.getLogger(__name__)

#: Ends a message of an answer that is still growing, and one of an answer that was cut off.
CURSOR = "▌"
CUT_OFF = "…"
#: What a part may take, so that a cursor fits behind it; the same for whole answers, whose parts stay where they were.
_ROOM = LIMIT - len(CURSOR) - 1


def growing(text: str) -> str:
    """The text with the cursor; on a line of its own behind a code block, whose end it would spoil."""
    return text if grows(text) else _ended(text, CURSOR)


def grows(text: str) -> bool:
    """Whether a message's text is that of an answer still growing."""
    return text.rstrip().endswith(CURSOR)


def cut_off(text: str) -> str:
    """The text of a growing answer that grows no more."""
    return _ended(text.rstrip().removesuffix(CURSOR).rstrip(), CUT_OFF)


def _ended(text: str, end: str) -> str:
    return text + ("\n" if text.endswith(("```", "~~~")) else " ") + end


class Answer:
    """What is shown of an answer. Every method raises what `Messages` does.

    With `again` an earlier process or try may have shown some of it: it is looked for before anything is sent.
    """

    def __init__(self, messages: Messages, question: Question, places: Places, pace: Pace, *, again: bool) -> None:
        self._messages = messages
        self._places = places
        self._pace = pace
        self._question = question
        self._again = again
        self._markdown = Growing()
        self._shown: list[Shown] = []
        # Characters that were there before: they stay until the new text is as long.
        self._floor = 0
        self._forms: set[AnswerForm] = {AnswerForm.PLAIN} if question.channel in places.plain else set()
        # From this part on nothing can be edited; what was shown from there on is deleted once it is there anew.
        self._stuck: int | None = None
        self._left: list[Shown] = []

    @property
    def ids(self) -> tuple[str, ...]:
        """Its messages, in the form of event ids."""
        return tuple(message_key(shown.id) for shown in self._shown)

    @property
    def whole(self) -> str | None:
        """The text that is shown, one line break between its messages; None where it isn't the whole answer."""
        if not self._shown or any(grows(shown.text) for shown in self._shown):
            return None
        mark = self._question.mark
        return "\n".join(shown.text.removeprefix(mark).lstrip("\n") for shown in self._shown)

    def begin(self) -> None:
        """A text begins to come: until it is longer than what is shown, that stays."""
        self._floor = self._shown_length()

    async def adopt(self) -> None:
        """Take over what is there of the answer. Where the history may not be read, the nonce alone helps."""
        left = {shown.id for shown in self._left}
        known = {shown.id: shown for shown in self._shown}
        known |= {shown.id: shown for shown in await self._messages.replies() if shown.id not in left}
        self._shown = [known[message_id] for message_id in sorted(known)]
        if any(shown.text.startswith(self._question.mark) for shown in self._shown):
            self._forms.add(AnswerForm.PLAIN)
        self._again = False
        self._floor = self._shown_length()

    async def grow(self, text: str) -> float | None:
        """Show the answer so far (`GrowingAnswer`), unless what was there before is longer."""
        try:
            await self._show(text, whole=False)
        except Refused as exc:
            if exc.shut:
                raise
            return None  # what can't be edited is sent anew at the end; half a word may be refused, but not the whole
        except (ConnectionError, JournalUnavailable) as exc:  # the last showing tells whether it went well
            log.warning("discord:%d: an edit failed: %s", self._question.id, str(exc))
        return self._pace.every

    async def finish(self, text: str) -> None:
        """Show the whole answer."""
        await self._show(text, whole=True)

    async def _show(self, text: str, *, whole: bool) -> None:
        """Make the messages of the answer hold the text, in another form where Discord refuses the first."""
        if self._again:
            await self.adopt()
        if whole and self._stuck is not None:
            self._begin_anew(self._stuck)
        while True:
            try:
                await self._bring(text, whole=whole)
                break
            except Refused as exc:
                if exc.other is None or exc.other in self._forms or (exc.other is AnswerForm.ANEW and not whole):
                    raise
                log.info("discord:%d: trying once more: %s", self._question.id, exc.other)
                self._forms.add(exc.other)
                if exc.code in NO_REPLIES:
                    self._places.plain.note(self._question.channel)
                if self._stuck is not None:
                    self._begin_anew(self._stuck)
        while whole and self._left:
            await self._discard(self._left[-1])
            self._left.pop()

    def _begin_anew(self, index: int) -> None:
        """Have the parts from this one on sent in new messages."""
        self._forms.add(AnswerForm.ANEW)
        self._stuck = None
        self._left += self._shown[index:]
        del self._shown[index:]

    async def _bring(self, text: str, *, whole: bool) -> None:
        """Make the messages of the answer hold the text: edit, send and delete what differs.

        Where that takes several requests, a message with a cursor is changed last: a crash between two of them leaves
        an answer that shows it isn't whole.
        """
        wanted = self._parts(text)
        if not wanted and whole:
            await self.settle()
        if not wanted or (not whole and len(text) < self._floor):
            return
        if not whole:
            wanted[-1] = growing(wanted[-1])
        spare = self._shown[len(wanted) :]
        due = [index for index, part in enumerate(wanted) if self._text(index) != part.strip()]
        held = next((index for index in due if grows(self._text(index))), due[0] if due else 0)
        # What comes anew, since nothing could be edited, needs no cursor while what it replaces has one.
        replacing = any(grows(shown.text) for shown in self._left)
        if len(due) + len(spare) > 1 and due and not grows(self._text(held)) and not replacing:
            await self._put(held, growing(wanted[held]))
        for index in due:
            if index != held or replacing:
                await self._put(index, wanted[index])
        for shown in spare:
            await self._discard(shown)
            self._shown.remove(shown)
        if due:
            await self._put(held, wanted[held])

    def _parts(self, text: str) -> list[str]:
        """The text's messages, in the form that Discord takes."""
        text = self._markdown.markdown(text)
        if AnswerForm.LINKLESS in self._forms:
            text = without_links(text)
        if AnswerForm.PLAIN not in self._forms:
            return split(text, _ROOM)
        mark = self._question.mark + "\n"
        return [mark + part for part in split(text, _ROOM - units(mark))]

    def _shown_length(self) -> int:
        return sum(len(shown.text) for shown in self._shown)

    def _text(self, index: int) -> str:
        """What Discord shows in a message of the answer, empty where there is none yet."""
        return self._shown[index].text.strip() if index < len(self._shown) else ""

    async def _put(self, index: int, text: str) -> None:
        """Make one message of the answer hold the text; the messages before it are there."""
        if index >= len(self._shown):
            nonce = f"{self._question.id}.{index}" + ("a" if AnswerForm.ANEW in self._forms else "")
            try:
                self._shown.append(await self._messages.send(text, nonce, reply=AnswerForm.PLAIN not in self._forms))
            except ConnectionError:
                self._again = True  # it may have arrived all the same
                raise
        # A repeated nonce gives the message of an earlier try, with the text it had then.
        if self._text(index) != text.strip():
            try:
                await self._messages.edit(self._shown[index].id, text)
            except Refused as exc:
                if exc.other is AnswerForm.ANEW:
                    self._stuck = index
                raise
            self._shown[index].text = text

    async def settle(self) -> None:
        """Leave no cursor in what stays of an answer that is given up: where it can't be edited, it is deleted."""
        if self._again:
            await self.adopt()
        for shown in [*self._shown, *self._left]:
            if not grows(shown.text):
                continue
            text = cut_off(shown.text)
            try:
                await self._messages.edit(shown.id, text, aside=True)
                shown.text = text
            except Refused:
                await self._discard(shown, aside=True)

    async def _discard(self, shown: Shown, *, aside: bool = False) -> None:
        """Delete a message that is no longer part of the answer, where Discord lets us."""
        try:
            await self._messages.delete(shown.id, aside=aside)
        except Refused as exc:
            log.warning("discord:%d: message %d could not be deleted: code %d", self._question.id, shown.id, exc.code)
