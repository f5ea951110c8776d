"""The messages of one answer on Discord: updates them to its text, in whatever form Discord accepts.

Until an answer is complete, at least one of its messages always ends with a cursor, so that after a crash it can be
recognised as incomplete, and completed in place. If Discord refuses one form, another is tried, each once
(`adapters.discord.refusals` says which).
"""

import logging

from adapters.common.text import complete_rows
from adapters.discord.lengths import split, units
from adapters.discord.markdown import Growing
from adapters.discord.messages import Messages, Pace, Question, Shown
from adapters.discord.recent import Places
from adapters.discord.refusals import NO_REPLIES, AnswerForm, DiscordRefused
from adapters.discord.text import LIMIT, message_key, without_links
from bot.ports import JournalUnavailable

log = logging.getLogger(__name__)

#: Ends a message of a growing answer, and of one that was cut off.
CURSOR = "▌"
CUT_OFF = "…"
#: Length of a part, leaving room for a cursor; the same for complete answers, so that their parts stay the same.
_ROOM = LIMIT - len(CURSOR) - 1


def growing(text: str) -> str:
    """The text with the cursor; on its own line after a code block, whose end it would break."""
    return text if grows(text) else _ended(text, CURSOR)


def grows(text: str) -> bool:
    """Whether a message's text belongs to a growing answer."""
    return text.rstrip().endswith(CURSOR)


def cut_off(text: str) -> str:
    """The text of a growing answer that won't be completed."""
    return _ended(text.rstrip().removesuffix(CURSOR).rstrip(), CUT_OFF)


def _ended(text: str, end: str) -> str:
    return text + ("\n" if text.endswith(("```", "~~~")) else " ") + end


class Answer:
    """What is shown of an answer. Every method raises what `Messages` raises.

    With `again`, an earlier process or attempt may have shown some of it: look for that before sending anything.
    """

    def __init__(self, messages: Messages, question: Question, places: Places, pace: Pace, *, again: bool) -> None:
        self._messages = messages
        self._places = places
        self._pace = pace
        self._question = question
        self._again = again
        self._markdown = Growing()
        self._shown: list[Shown] = []
        # Characters shown before: they stay until the new text is as long.
        self._floor = 0
        self._forms: set[AnswerForm] = {AnswerForm.PLAIN} if question.channel in places.plain else set()
        # From this part on, messages can't be edited: they are sent again, and then the old ones are deleted.
        self._stuck: int | None = None
        self._left: list[Shown] = []

    @property
    def ids(self) -> tuple[str, ...]:
        """Its messages, in the form of event ids."""
        return tuple(message_key(shown.id) for shown in self._shown)

    def shown_in(self, message_id: int) -> str | None:
        """What a message shows of the answer; None if that isn't known here."""
        return next((shown.text for shown in self._shown if shown.id == message_id), None)

    @property
    def whole(self) -> str | None:
        """The text shown, with one line break between messages; None if it isn't the complete answer."""
        if not self._shown or any(grows(shown.text) for shown in self._shown):
            return None
        mark = self._question.mark
        return "\n".join(shown.text.removeprefix(mark).lstrip("\n") for shown in self._shown)

    def begin(self) -> None:
        """Begin a new text: what is shown stays until the new text is longer."""
        self._floor = self._shown_length()

    async def adopt(self) -> None:
        """Take over what is already shown of the answer. If the history may not be read, only the nonce helps."""
        left = {shown.id for shown in self._left}
        known = {shown.id: shown for shown in self._shown}
        known |= {shown.id: shown for shown in await self._messages.replies() if shown.id not in left}
        self._shown = [known[message_id] for message_id in sorted(known)]
        if any(shown.text.startswith(self._question.mark) for shown in self._shown):
            self._forms.add(AnswerForm.PLAIN)
        self._again = False
        self._floor = self._shown_length()

    async def grow(self, text: str) -> float | None:
        """Show the answer so far (`GrowingAnswer`), unless what was shown before is longer."""
        try:
            await self._show(complete_rows(text), whole=False)
        except DiscordRefused as exc:
            if exc.shut:
                raise
            return (
                None  # uneditable parts are sent again at the end; and a cut word may be refused where the whole isn't
            )
        except (ConnectionError, JournalUnavailable) as exc:  # only the end matters
            log.warning("discord:%d: an edit failed: %s", self._question.id, str(exc))
        return self._pace.every

    async def finish(self, text: str) -> None:
        """Show the whole answer."""
        await self._show(text, whole=True)

    async def _show(self, text: str, *, whole: bool) -> None:
        """Update the messages to the text, in another form if Discord refuses the first."""
        if self._again:
            await self.adopt()
        if whole and self._stuck is not None:
            self._begin_anew(self._stuck)
        while True:
            try:
                await self._bring(text, whole=whole)
                break
            except DiscordRefused as exc:
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
        """Send the parts from this one on in new messages."""
        self._forms.add(AnswerForm.ANEW)
        self._stuck = None
        self._left += self._shown[index:]
        del self._shown[index:]

    async def _bring(self, text: str, *, whole: bool) -> None:
        """Update the messages to the text: edit, send and delete what differs.

        If that takes several requests, a message with a cursor is changed last, so that a crash in between leaves an
        answer that is recognisably incomplete.
        """
        wanted = self._parts(text)
        if not wanted and whole:
            await self.remove_cursors()
        if not wanted or (not whole and len(text) < self._floor):
            return
        if not whole:
            wanted[-1] = growing(wanted[-1])
        spare = self._shown[len(wanted) :]
        due = [index for index, part in enumerate(wanted) if self._text(index) != part.strip()]
        held = next((index for index in due if grows(self._text(index))), due[0] if due else 0)
        # New messages that replace uneditable ones need no cursor while those have one.
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
        """The text's parts, in the form that Discord accepts."""
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
        """What Discord shows in a message of the answer; empty if there is none yet."""
        return self._shown[index].text.strip() if index < len(self._shown) else ""

    async def _put(self, index: int, text: str) -> None:
        """Update one message of the answer to the text; the messages before it exist."""
        if index >= len(self._shown):
            nonce = f"{self._question.id}.{index}" + ("a" if AnswerForm.ANEW in self._forms else "")
            try:
                reply = AnswerForm.PLAIN not in self._forms
                self._shown.append(await self._messages.send(text, nonce, reply=reply, stoppable=grows(text)))
            except ConnectionError:
                self._again = True  # it may have arrived anyway
                raise
        # A repeated nonce returns the message of an earlier attempt, with its text.
        if self._text(index) != text.strip():
            try:
                await self._messages.edit(self._shown[index], text, stoppable=grows(text))
            except DiscordRefused as exc:
                if exc.other is AnswerForm.ANEW:
                    self._stuck = index
                raise

    async def remove_cursors(self) -> None:
        """Remove the cursors from an abandoned answer; delete messages that can't be edited."""
        if self._again:
            await self.adopt()
        for shown in [*self._shown, *self._left]:
            if not grows(shown.text):
                continue
            text = cut_off(shown.text)
            try:
                await self._messages.edit(shown, text, aside=True)
            except DiscordRefused:
                await self._discard(shown, aside=True)

    async def withdraw(self) -> None:
        """Delete all that is shown."""
        if self._again:
            await self.adopt()
        for shown in [*self._left, *reversed(self._shown)]:
            await self._discard(shown)
        self._left.clear()
        self._shown.clear()

    async def _discard(self, shown: Shown, *, aside: bool = False) -> None:
        """Delete a message that is no longer part of the answer, if Discord lets us."""
        try:
            await self._messages.delete(shown.id, aside=aside)
        except DiscordRefused as exc:
            log.warning("discord:%d: message %d could not be deleted: code %d", self._question.id, shown.id, exc.code)
