"""Answers in progress, and what can interrupt one: its question is edited or deleted, or its asker stops it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager

from bot.core.answer import SLOW
from bot.events import MessageEvent, Signal

#: A message with nothing but this, in any case, stops the answer that is growing in that conversation.
STOP = "stop"
#: Ends an answer that was stopped.
STOPPED = "… (stopped)"


class Restarted(Exception):
    """The question was edited: start over, in place."""


class Withdrawn(Exception):
    """The question is gone, so what is shown of its answer must go, too."""


class _Interrupted(Exception):
    """A signal arrived while the next snapshot was awaited."""


def asks_to_stop(event: MessageEvent) -> bool:
    """Whether a message says nothing but "stop"."""
    beside = event.attachments or event.forwarded or event.notice
    return not beside and event.text.strip().rstrip(".!").casefold() == STOP


def was_stopped(shown: str) -> bool:
    """Whether a shown text is an answer that was stopped."""
    return shown.rstrip().endswith(STOPPED)


class AnswerInProgress:
    """One attempt at an answer.

    Attributes:
        said: The text that is being answered.
        stopped: Whether what is shown ended because its asker wanted it to.
        redone: Whether an earlier attempt, at this text or another, may have done something already.
    """

    def __init__(self, event: MessageEvent, conversation: str) -> None:
        self.event_id = event.id
        self.asker = (event.person.key, conversation)
        self.said = event.said
        self.stopped = self.redone = False
        self._signal: Signal | None = None
        self._waiting: asyncio.Task[object] | None = None
        self._cancelled = False

    def tell(self, signal: Signal) -> None:
        """Interrupt it as soon as possible."""
        self._signal = signal if self._signal is None else max(signal, self._signal)
        if self._waiting is not None and not self._cancelled:
            self._cancelled = True
            self._waiting.cancel()

    def check(self) -> None:
        """Raise Withdrawn or Restarted if that is due."""
        self.check_deleted()
        if self._signal is Signal.EDITED:
            self._signal = None
            raise Restarted

    def check_deleted(self) -> None:
        """Raise Withdrawn if that is due. Called after the commit, which in that case kept nothing."""
        if self._signal is Signal.DELETED:
            raise Withdrawn

    async def follow(self, snapshots: AsyncGenerator[str, None]) -> AsyncIterator[str]:
        """Yield an answer's snapshots as long as nothing happens; mark them as stopped if it is stopped.

        Raises Withdrawn and Restarted, once the request to the model has ended.
        """
        latest: str | None = ""
        async with aclosing(snapshots):
            while latest is not None:
                self.check()
                if self._signal is Signal.STOP:
                    self.stopped = True
                    yield _stopped(latest)
                    return
                try:
                    following = await self._next(snapshots)
                except _Interrupted:
                    continue
                if following is not None:
                    yield following
                latest = following

    async def _next(self, snapshots: AsyncGenerator[str, None]) -> str | None:
        """The next snapshot, None after the last. Raises _Interrupted."""
        task = asyncio.current_task()
        assert task is not None
        others = task.cancelling()
        self._waiting = task
        try:
            return await anext(snapshots, None)
        except asyncio.CancelledError:
            if not self._cancelled:
                raise
            self._cancelled = False
            # If somebody else has cancelled the task as well, let that cancellation through.
            if task.uncancel() > others:
                raise
            raise _Interrupted from None
        finally:
            self._waiting = None
            if self._cancelled:  # but the snapshot came first
                self._cancelled = False
                task.uncancel()


def _stopped(shown: str) -> str:
    """What was shown, with the mark; an open code block, which would hide it, is closed first."""
    shown = shown.removesuffix(SLOW).rstrip()
    if shown.count("```") % 2:
        shown += "\n```"
    return f"{shown}\n\n{STOPPED}" if shown.endswith("```") else f"{shown} {STOPPED}".lstrip()


class InProgress:
    """This process's answers in progress, by the messages that they answer and by who asked in which conversation."""

    def __init__(self) -> None:
        self._answers: dict[str, AnswerInProgress] = {}
        self._askers: dict[tuple[str, str], list[AnswerInProgress]] = {}
        self._otherwise: Callable[[str], Awaitable[None]] | None = None

    @property
    def busy(self) -> bool:
        """Whether there are any."""
        return bool(self._answers)

    def follow(self, otherwise: Callable[[str], Awaitable[None]]) -> None:
        """Call `otherwise` with each deleted message that isn't being answered right now."""
        self._otherwise = otherwise

    @contextmanager
    def begin(self, event: MessageEvent, conversation: str) -> Iterator[AnswerInProgress]:
        """An attempt, for as long as the block runs."""
        answer = self._answers[event.id] = AnswerInProgress(event, conversation)
        theirs = self._askers.setdefault(answer.asker, [])
        theirs.append(answer)
        try:
            yield answer
        finally:
            if self._answers.get(event.id) is answer:
                del self._answers[event.id]
            theirs.remove(answer)
            if not theirs and self._askers.get(answer.asker) is theirs:
                del self._askers[answer.asker]

    def edited(self, event_ids: Sequence[str]) -> None:
        """The journal has new texts for these open events."""
        for event_id in event_ids:
            if event_id in self._answers:
                self._answers[event_id].tell(Signal.EDITED)

    async def deleted(self, event_ids: Sequence[str]) -> None:
        """The journal no longer has these events."""
        for event_id in event_ids:
            if event_id in self._answers:
                self._answers[event_id].tell(Signal.DELETED)
            elif self._otherwise is not None:
                await self._otherwise(event_id)

    async def told(self, event_id: str, signal: Signal, said: str) -> None:
        """Another process tells what is to become of an answer, and what its question says now."""
        if signal is Signal.DELETED:
            await self.deleted([event_id])
            return
        answer = self._answers.get(event_id)
        # Both processes may have heard of one edit: the answer may be to the new text already.
        if answer is not None and (signal is Signal.STOP or answer.said != said):
            answer.tell(signal)

    def stop(self, person_key: str, conversation: str) -> bool:
        """Stop the answers that somebody is getting in a conversation; False if there are none."""
        theirs = self._askers.get((person_key, conversation), ())
        for answer in theirs:
            answer.tell(Signal.STOP)
        return bool(theirs)

    def stop_one(self, event_id: str, person_key: str) -> bool:
        """Stop the answer to a message for whoever wrote it; False if there is none."""
        answer = self._answers.get(event_id)
        if answer is None or answer.asker[0] != person_key:
            return False
        answer.tell(Signal.STOP)
        return True
