"""A process of its own over a test's database, to be killed: `python -m tests.journal.child MODE FOLDER [URL]`.

`answer` answers one message after the other and prints the number of each that is committed; `hold` admits one, prints
`held` and waits for ever; `open` opens the journal, prints its backlog and closes it.
"""

import asyncio
import sys
from pathlib import Path

from bot.journal.opening import open_journal
from tests.journal.conftest import Database
from tests.journal.makers import told
from tests.makers import message


async def run(mode: str, database: Database) -> None:
    """Do what `mode` says."""
    journal = await open_journal(database.settings)
    if mode == "answer":
        for number in range(10_000):
            await told(journal, f"told {number}", number)
            print(number, flush=True)
    elif mode == "hold":
        await journal.admit(message("hold on", number=1))
        print("held", flush=True)
        await asyncio.Event().wait()
    else:
        print(await journal.backlog(), flush=True)
    await journal.close()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], Database(Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)))
