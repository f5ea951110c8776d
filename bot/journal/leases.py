"""How a process shows the others that it lives, and takes over what dead ones left."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from bot.journal import workers
from bot.journal.lockfile import WorkerLock
from bot.journal.runner import Runner

log = logging.getLogger(__name__)

#: For so long after a heartbeat was sent (seconds) nobody can have taken this worker for dead.
SURE = workers.LEASE - 2.0


class WorkerLease(Protocol):
    """This process among the workers. `beat` raises JournalUnavailable where the database fails."""

    worker: str

    @property
    def sure(self) -> bool:
        """Whether nobody can have taken over what this worker claims."""
        ...

    async def beat(self) -> bool:
        """Show that this worker lives, and free what dead ones claimed; called every `workers.BEAT` seconds.

        Returns False where it was taken for dead itself: what it claimed before may be another's.
        """
        ...

    async def close(self) -> None:
        """Sign off: what this worker had open is free for others at once."""
        ...


class Heartbeat:
    """On PostgreSQL: a row that is kept young."""

    def __init__(self, runner: Runner, worker: str, clocks: Callable[[], tuple[float, ...]] | None = None) -> None:
        """`clocks` are read for the time that has passed: what the fastest of them says."""
        self.worker = worker
        self._runner = runner
        self._clocks = clocks or _clocks
        self._sent: tuple[float, ...] | None = None
        self._reaps_from: tuple[float, ...] | None = None

    @property
    def sure(self) -> bool:
        """Whether the last heartbeat is young, by every clock."""
        return self._sent is not None and self._since(self._sent) < SURE

    async def beat(self) -> bool:
        """Renew the row, and reap those that went silent.

        After a silence of its own (the database was away, or this process stood still) others may have been silent for
        the same reason: they are given time to show themselves before they are taken for dead.
        """
        sending, silent = self._clocks(), self._sent is not None and not self.sure
        known = await self._runner.write(workers.beat, self.worker) or self._sent is None
        if not known:
            log.warning("this process was taken for dead: it was silent for more than %.0f s", workers.LEASE)
        self._sent = sending
        if silent:
            self._reaps_from = self._clocks()
        if self._reaps_from is None or self._since(self._reaps_from) > workers.LEASE:
            self._reaps_from = None
            _report(await self._runner.write(workers.reap_silent, self.worker))
        return known

    def _since(self, then: tuple[float, ...]) -> float:
        return max(now - before for now, before in zip(self._clocks(), then, strict=True))

    async def close(self) -> None:
        """Remove the row."""
        await self._runner.write(workers.release, self.worker)


def _clocks() -> tuple[float, ...]:
    """The monotonic clock; where there is one, that which goes on while the machine is suspended; and the wall clock.

    The last is set after a virtual machine stood still. Where it jumps for another reason, that costs a question.
    """
    booted = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic(), time.time(), *([time.clock_gettime(booted)] if booted is not None else [])


class LockedFile:
    """On SQLite: a lock on a file in the data folder. Nothing is written while this process is alone."""

    #: A lock is held however long its process stands still.
    sure = True

    def __init__(self, runner: Runner, folder: Path, worker: str) -> None:
        self.worker = worker
        self._runner = runner
        self._lock = WorkerLock(folder, worker)
        self._signed_on = False

    async def beat(self) -> bool:
        """Sign on, the first time, and free what workers whose process has ended left."""
        if not self._signed_on:
            await self._runner.write(workers.beat, self.worker)
            self._signed_on = True
        if await self._runner.read(workers.others, self.worker):
            _report(await self._runner.write(workers.reap_dead, self.worker, self._lock.dead))
        return True

    async def close(self) -> None:
        """Sign off, then give the lock up."""
        try:
            await self._runner.write(workers.release, self.worker)
        finally:
            self._lock.close()


def _report(freed: int) -> None:
    if freed:
        log.info("took over %d open entries of processes that ended", freed)
