"""The store's connections: none of them grows for as long as the process lives."""

import gc
import time
import weakref
from pathlib import Path

from bot.memory.vectors.sqlite.file import StoreFile
from tests.memory.vectors.contract import DIMS


def blobs_remembered() -> int:
    """References to closed blobs that connections still hold."""
    return sum(type(ref) is weakref.ref and ref() is None for ref in gc.get_objects())


def test_the_writing_connection_is_opened_anew(tmp_path: Path) -> None:
    """What `sqlite3` remembers of each blob that was written goes with the connection, and no write is lost.

    Where this holds with a `renew` that is never reached, Python has mended it, and opening anew can go.
    """
    file = StoreFile(tmp_path / "bot.db", DIMS, "model", renew=50)
    try:
        with file.writing() as conn:
            conn.execute("CREATE TABLE blobs (id INTEGER PRIMARY KEY, content BLOB)")
        before = blobs_remembered()
        for number in range(1, 301):
            with file.writing() as conn:
                conn.execute("INSERT INTO blobs VALUES (?, zeroblob(8))", (number,))
                with conn.blobopen("blobs", "content", number) as blob:
                    blob.write(b"contents")
        assert blobs_remembered() - before <= 50
        with file.reading() as conn:
            assert conn.execute("SELECT count(*) FROM blobs WHERE content = x'636f6e74656e7473'").fetchone() == (300,)
    finally:
        file.close()


def test_a_look_at_what_a_backup_still_reads_holds_up_no_writing(tmp_path: Path) -> None:
    """Whoever reads the file for long is not waited for again and again: the journal writes behind the same lock."""
    file = StoreFile(tmp_path / "bot.db", DIMS, "model")
    try:
        with file.reading() as backup:
            backup.execute("SELECT count(*) FROM memories").fetchone()
            with file.writing(erases=True) as conn:
                conn.execute("DELETE FROM memories")
            began = time.monotonic()
            file.scrub()
            assert time.monotonic() - began < 1
    finally:
        file.close()
