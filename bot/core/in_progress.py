"""Answers in progress, and what can interrupt one: its question is edited or deleted, or its asker stops it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager

from bot.core.answer import SLOW
from bot.events import MessageEvent, Signal

#: Ends an answer that was stopped.
STOPPED = "… (stopped)"


class Restarted(Exception):
    """The question was edited, or others have joined it or are gone from it: start over, in place.

    Attributes:
        joining: Whether others may join it now: not once the answer was whole.
        edited: Whether that counts as a message.
    """

    def __init__(self, *, joining: bool, edited: bool) -> None:
        super().__init__()
        self.joining = joining
        self.edited = edited


class Withdrawn(Exception):
    """The question is gone, so what is shown of its answer must go, too."""


class _Interrupted(Exception):
    """A signal arrived while the next snapshot was awaited."""


def was_stopped(shown: str) -> bool:
    """Whether a shown text is an answer that was stopped."""
    return shown.rstrip().endswith(STOPPED)


class AnswerInProgress:
    """One attempt at an answer.

    Attributes:
        event: What is being answered, with what has joined it.
        ended: Set once the attempt has ended.
        stopped: Whether what is shown ended because its asker wanted it to.
        redone: Whether an earlier attempt, at this text or another, may have done something already.
    """

    def __init__(self, event: MessageEvent, conversation: str) -> None:
        self.event_id = event.id
        self.asker = (event.person.key, conversation)
        self.event = event
        self.ended = asyncio.Event()
        self.stopped = self.redone = False
        self._joining: set[str] = set()
        self._signal: Signal | None = None
        self._waiting: asyncio.Task[object] | None = None
        self._cancelled = False

    def tell(self, signal: Signal) -> None:
        """Interrupt it as soon as possible."""
        self._signal = signal if self._signal is None else max(signal, self._signal)
        if self._waiting is not None and not self._cancelled:
            self._cancelled = True
            self._waiting.cancel()

    def join(self, event_id: str = "") -> None:
        """A message has joined what is being answered; empty if another process hasn't said which."""
        if event_id not in self.texts:
            self._joining.add(event_id)
            self.tell(Signal.JOINED)

    @property
    def texts(self) -> dict[str, str]:
        """What each message that is being answered says."""
        return {each.id: each.said for each in self.event.thought}

    def begin(self, event: MessageEvent) -> None:
        """The answer begins, or begins again, to what is read now."""
        self.event = event
        self._joining -= self.texts.keys()
        if self._signal is Signal.JOINED and not self._joining:
            self._signal = None

    def check(self, *, whole: bool = False) -> None:
        """Raise Withdrawn or Restarted if that is due; what is `whole` isn't begun again for what joins it."""
        self.check_deleted()
        if self._signal is Signal.EDITED or (self._signal is Signal.JOINED and not whole):
            edited, self._signal = self._signal is Signal.EDITED, None
            self._joining.clear()
            raise Restarted(joining=not whole, edited=edited)

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
            answer.ended.set()
            for event_id in [each for each, found in self._answers.items() if found is answer]:
                del self._answers[event_id]
            theirs.remove(answer)
            if not theirs and self._askers.get(answer.asker) is theirs:
                del self._askers[answer.asker]

    async def turn(self, person_key: str, conversation: str) -> None:
        """Wait until nothing else is being answered to somebody in a conversation: no two answers cross."""
        while theirs := self._askers.get((person_key, conversation)):
            await theirs[-1].ended.wait()

    def begun(self, answer: AnswerInProgress, event: MessageEvent) -> None:
        """An attempt begins, or begins again, to what is read now."""
        registered = self._answers.get(answer.event_id) is answer
        for event_id in answer.texts.keys() - {answer.event_id}:
            self._answers.pop(event_id, None)
        answer.begin(event)
        if registered:
            self._answers.update(dict.fromkeys(answer.texts, answer))

    async def join(self, first: str, event_id: str) -> None:
        """A message has joined another. Returns once the attempt at that one's answer has ended, if there is one."""
        if (answer := self._answers.get(first)) is not None:
            answer.join(event_id)
            await answer.ended.wait()

    def edited(self, event_ids: Sequence[str]) -> None:
        """The journal has new texts for these open events."""
        for event_id in event_ids:
            if event_id in self._answers:
                self._answers[event_id].tell(Signal.EDITED)

    async def deleted(self, event_ids: Sequence[str]) -> None:
        """The journal no longer has these events."""
        for event_id in event_ids:
            if (answer := self._answers.get(event_id)) is not None:
                # Without one that has only joined the first, the answer is to the others.
                answer.tell(Signal.DELETED if event_id == answer.event_id else Signal.EDITED)
            elif self._otherwise is not None:
                await self._otherwise(event_id)

    async def told(self, event_id: str, signal: Signal, said: str) -> None:
        """Another process tells what is to become of an answer, and what its question says now."""
        if signal is Signal.DELETED:
            await self.deleted([event_id])
            return
        answer = self._answers.get(event_id)
        # Both processes may have heard of one edit: the answer may be to the new text already.
        if answer is not None and signal is Signal.JOINED:
            answer.join()
        elif answer is not None and (signal is Signal.STOP or answer.texts.get(event_id) != said):
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
