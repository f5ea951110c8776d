"""How a process shows the others that it is alive, and releases the claims of dead ones."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from bot.journal import workers
from bot.journal.lockfile import WorkerLock
from bot.journal.runner import Runner

log = logging.getLogger(__name__)

#: For so many seconds after a heartbeat was sent nobody can have treated this worker as dead.
VALID = workers.LEASE - 2.0


class WorkerLease(Protocol):
    """This process's lease as a worker. Methods raise JournalUnavailable if the database fails."""

    worker: str

    @property
    def valid(self) -> bool:
        """Whether it is certain that nobody has taken over this worker's claims."""
        ...

    async def renew(self) -> bool:
        """Show that this worker is alive, and release the claims of dead ones; called every `workers.BEAT` seconds.

        Returns False if the lease had expired: what this worker claimed before may be another's.
        """
        ...

    async def close(self) -> None:
        """Give the lease up: this worker's claims are released at once."""
        ...


class Heartbeat:
    """On PostgreSQL: a row with a recent time."""

    def __init__(self, runner: Runner, worker: str, clocks: Callable[[], tuple[float, ...]] | None = None) -> None:
        """`clocks` are read for the time that has passed: the fastest of them counts."""
        self.worker = worker
        self._runner = runner
        self._clocks = clocks or _clocks
        self._sent: tuple[float, ...] | None = None
        self._reaps_from: tuple[float, ...] | None = None

    @property
    def valid(self) -> bool:
        """Whether the last heartbeat is recent, by every clock."""
        return self._sent is not None and self._since(self._sent) < VALID

    async def renew(self) -> bool:
        """Renew the row, and release the claims of workers that went silent.

        If this worker was silent itself (the database was away, or this process was suspended), others may have been
        silent for the same reason: they get time to send a heartbeat before they are treated as dead.
        """
        sending, was_silent = self._clocks(), self._sent is not None and not self.valid
        kept = await self._runner.write(workers.renew, self.worker) or self._sent is None
        if not kept:
            seconds = workers.LEASE
            log.warning("lease expired: other workers treat this process as dead, no heartbeat for %.0f s", seconds)
        self._sent = sending
        if was_silent:
            self._reaps_from = self._clocks()
        if self._reaps_from is None or self._since(self._reaps_from) > workers.LEASE:
            self._reaps_from = None
            _report(await self._runner.write(workers.reap_silent, self.worker))
        return kept

    def _since(self, then: tuple[float, ...]) -> float:
        return max(now - before for now, before in zip(self._clocks(), then, strict=True))

    async def close(self) -> None:
        """Delete the row."""
        await self._runner.write(workers.sign_off, self.worker)


def _clocks() -> tuple[float, ...]:
    """The monotonic clock; if there is one, the clock that runs while the machine is suspended; and the wall clock.

    The last is set after a virtual machine was stopped. If it jumps for another reason, that costs one query.
    """
    booted = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic(), time.time(), *([time.clock_gettime(booted)] if booted is not None else [])


class LockedFile:
    """On SQLite: a lock on a file in the data folder. Nothing is written while this process is alone."""

    #: A lock is held however long its process is suspended.
    valid = True

    def __init__(self, runner: Runner, folder: Path, worker: str) -> None:
        self.worker = worker
        self._runner = runner
        self._lock = WorkerLock(folder, worker)
        self._signed_on = False

    async def renew(self) -> bool:
        """Sign on, the first time, and release the claims of workers whose process has ended."""
        if not self._signed_on:
            await self._runner.write(workers.renew, self.worker)
            self._signed_on = True
        if await self._runner.read(workers.others, self.worker):
            _report(await self._runner.write(workers.reap_dead, self.worker, self._lock.dead))
        return True

    async def close(self) -> None:
        """Sign off, then release the lock."""
        try:
            await self._runner.write(workers.sign_off, self.worker)
        finally:
            self._lock.close()


def _report(released: int) -> None:
    if released:
        log.info("released %d claims of dead workers", released)
