"""A file lock that lasts as long as its process: how workers on one machine know who is alive."""

import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: one process at a time per data folder, so every other worker is dead
    fcntl = None  # type: ignore[assignment]


class WorkerLock:
    """Holds `worker-<id>.lock` in the data folder, mode 0600, until closed or until the process ends."""

    def __init__(self, folder: Path, worker: str) -> None:
        self._folder = folder
        self._path = _path(folder, worker)
        self._handle = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        if fcntl is not None:
            fcntl.flock(self._handle, fcntl.LOCK_EX)

    def dead(self, other: str) -> bool:
        """Whether that worker's process has ended; its file is deleted then."""
        path = _path(self._folder, other)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        except BlockingIOError:
            return False
        finally:
            os.close(handle)
        return True

    def close(self) -> None:
        """Release the lock and delete the file."""
        self._path.unlink(missing_ok=True)
        os.close(self._handle)


def _path(folder: Path, worker: str) -> Path:
    return folder / f"worker-{worker}.lock"
