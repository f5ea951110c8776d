"""How a process shows the others that it lives, and takes over what dead ones left."""

import logging
from pathlib import Path
from typing import Protocol

from bot.journal import workers
from bot.journal.lockfile import WorkerLock
from bot.journal.runner import Runner

log = logging.getLogger(__name__)


class Presence(Protocol):
    """This process among the workers. `beat` raises JournalUnavailable where the database fails."""

    worker: str

    async def beat(self) -> None:
        """Show that this worker lives, and free what dead ones claimed; called every `workers.BEAT` seconds."""
        ...

    async def close(self) -> None:
        """Sign off: what this worker had open is free for others at once."""
        ...


class Heartbeat:
    """On PostgreSQL: a row that is kept young."""

    def __init__(self, runner: Runner, worker: str) -> None:
        self.worker = worker
        self._runner = runner
        self._signed_on = False

    async def beat(self) -> None:
        """Renew the row and reap those that went silent."""
        known = await self._runner.write(workers.beat, self.worker)
        if self._signed_on and not known:
            log.warning("this process was taken for dead: it was silent for more than %.0f s", workers.LEASE)
        self._signed_on = True
        _report(await self._runner.write(workers.reap_silent, self.worker))

    async def close(self) -> None:
        """Remove the row."""
        await self._runner.write(workers.release, self.worker)


class LockedFile:
    """On SQLite: a lock on a file in the data folder. Nothing is written while this process is alone."""

    def __init__(self, runner: Runner, folder: Path, worker: str) -> None:
        self.worker = worker
        self._runner = runner
        self._lock = WorkerLock(folder, worker)
        self._signed_on = False

    async def beat(self) -> None:
        """Sign on, the first time, and free what workers whose process has ended left."""
        if not self._signed_on:
            await self._runner.write(workers.beat, self.worker)
            self._signed_on = True
        if await self._runner.read(workers.others, self.worker):
            _report(await self._runner.write(workers.reap_dead, self.worker, self._lock.dead))

    async def close(self) -> None:
        """Sign off, then give the lock up."""
        try:
            await self._runner.write(workers.release, self.worker)
        finally:
            self._lock.close()


def _report(freed: int) -> None:
    if freed:
        log.info("took over %d open entries of processes that ended", freed)
