"""Opens, locks and scrubs the one SQLite file that holds everything the bot keeps.

The memory store and the journal share the file. Each opens its own connections with `connect`, and holds `write_lock`
while it writes, so that two writers in one process queue there instead of in SQLite's busy handler.

Erased data must be in no file, and SQLite's `secure_delete` alone doesn't ensure that: when a b-tree is rebalanced,
copies of moved rows stay in a page's unallocated part (measured: 1 to 17 of 2,300 deleted rows of a plain rowid table).
Only rows that never move are safe: append to a table, overwrite a row with NULL (an UPDATE that shrinks a row moves no
other), and never DELETE there. Then `checkpoint`, so that the write-ahead log holds no older page.
"""

import contextlib
import logging
import os
import sqlite3
import threading
from pathlib import Path
from typing import Literal

from bot.config import Settings

logger = logging.getLogger(__name__)

#: How long one writer waits for another process's, in milliseconds.
BUSY_TIMEOUT_MS = 10_000

_locks: dict[Path, threading.Lock] = {}
_locks_guard = threading.Lock()


def write_lock(path: Path) -> threading.Lock:
    """This process's lock for writing to that file; the same object for every spelling of the path."""
    with _locks_guard:
        return _locks.setdefault(path.resolve(), threading.Lock())


def database_path(settings: Settings) -> Path:
    """The SQLite file that the journal and the memories share."""
    return settings.bot_data_dir / "bot.db"


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents, for the bot's own user alone (0700). Raises OSError."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        # Another process may create it first.
        path.mkdir(mode=0o700, exist_ok=True)


def prepare(path: Path) -> None:
    """Create the folder (0700, if new) and the file (0600), so that only the bot's own user can read them.

    SQLite gives `-wal` and `-shm` the mode of the file. Raises OSError if that can't be done.

    An existing file is never opened: closing it would drop all of this process's locks on it (POSIX, see
    https://www.sqlite.org/howtocorrupt.html). Another process that closes its last connection would then assume that it
    is the only one, and delete the write-ahead log that is in use here.
    """
    make_folder(path.parent)
    if not path.exists():
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)


def connect(
    path: Path, *, synchronous: Literal["FULL", "NORMAL"] = "FULL", cache_kib: int = 2048
) -> sqlite3.Connection:
    """Open a connection in autocommit mode (begin and commit by statement), usable from any one thread at a time.

    With FULL a commit survives a power cut; with NORMAL it survives the process's death, and the file is consistent
    after a power cut. `cache_kib` limits this connection's page cache. Raises sqlite3.Error and OSError.
    """
    prepare(path)
    conn = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        # The busy handler doesn't cover the switch of a new file to WAL, which two processes may attempt concurrently.
        conn.execute("PRAGMA page_size=4096")
        _wal(conn)
        conn.execute("PRAGMA secure_delete=ON")
        conn.execute("PRAGMA foreign_keys=ON")
        conn.execute(f"PRAGMA synchronous={synchronous}")
        conn.execute("PRAGMA temp_store=MEMORY")
        conn.execute(f"PRAGMA cache_size=-{cache_kib}")
        conn.execute("PRAGMA mmap_size=0")
    except BaseException:
        conn.close()
        raise
    return conn


def _wal(conn: sqlite3.Connection) -> None:
    """Switch to write-ahead logging, waiting for others that open the new file at the same moment."""
    for attempt in range(100):
        try:
            (mode,) = conn.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError as exc:
            if attempt == 99 or exc.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            threading.Event().wait(0.02)
            continue
        if mode == "wal":
            return
    raise sqlite3.OperationalError("the file system doesn't support SQLite's write-ahead log")


def checkpoint(conn: sqlite3.Connection, *, wait_ms: int = 2000) -> bool:
    """Move the write-ahead log into the file and empty it; False if that wasn't possible in time.

    Hold `write_lock`, outside a transaction. Waits for readers of an older state, here or in another process.
    """
    conn.execute(f"PRAGMA busy_timeout={wait_ms}")
    try:
        (busy, _, _) = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as exc:
        if exc.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
        busy = 1
    finally:
        with contextlib.suppress(sqlite3.ProgrammingError):
            conn.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    return not busy
