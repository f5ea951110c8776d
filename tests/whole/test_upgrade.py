"""A data folder, or a database, that an earlier version made: the next start brings it up to date, and keeps all of it.

`first_version.sql` is the file of the first version that could talk, after a short chat in the terminal.
"""

import asyncio
import contextlib
import json
import sqlite3
from pathlib import Path

from tests.faults.memories import left, stored
from tests.whole.process import BotProcess

FIRST = Path(__file__).with_name("first_version.sql")
#: What was said and not yet learned when that version ended; and another account of the same person's.
OPEN = """
INSERT INTO exchanges (event_id, person_key, user_id, scope, name, text, answer, at, link, place, conversation)
    VALUES ('terminal:0', 'terminal:ann', 'terminal:ann', 'private', 'ann', 'I play the cello.', 'Noted.', 1795657310,
            '', 'DM', 'terminal::ann:#private');
INSERT INTO links VALUES ('terminal:annie', 'terminal:ann', 1795657310);
"""
#: The turns of that chat are from long ago by now.
KEPT = {"BOT_TURNS_TTL_HOURS": "1000000"}


async def test_a_data_folder_of_the_first_version(tmp_path: Path) -> None:
    """Memories, turns, links and what waits to be learned are there, though two processes find the folder at once."""
    (tmp_path / "data").mkdir()
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "bot.db")) as conn:
        conn.executescript(FIRST.read_text() + OPEN)
    exports = [BotProcess(tmp_path, KEPT, ["export", f"terminal:{name}"]) for name in ("ann", "annie")]
    for export in exports:
        await export.start()
    assert await asyncio.gather(*(export.wait() for export in exports)) == [0, 0]
    for export in exports:
        kept = json.loads("\n".join(export.out))
        assert sorted(memory["text"] for memory in kept["memories"]) == [
            "I like green tea.",
            "My sister lives in Lisbon.",
        ]
        assert [turn["text"] for turn in kept["turns"]][::2] == [
            "I like green tea.",
            "My sister lives in Lisbon.",
            "What do I like?",
        ]
    chat = BotProcess(tmp_path, KEPT, ["chat", "--as", "ann"])
    await chat.start()
    assert await chat.talk("Where does my sister live?\n") == 0
    assert "Lisbon" in "\n".join(chat.out)
    assert not any(left(stored(tmp_path)).values()), "what waited is learned"
    export = BotProcess(tmp_path, KEPT, ["export", "terminal:ann"])
    await export.start()
    assert await export.wait() == 0
    assert "I play the cello." in [memory["text"] for memory in json.loads("\n".join(export.out))["memories"]]
