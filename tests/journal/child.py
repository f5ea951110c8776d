"""A process of its own over a test's database, to be killed: `python -m tests.journal.child MODE FOLDER [URL]`.

`answer` answers one message after the other and prints the number of each that is committed; `hold` admits one, prints
`held` and waits for ever; `stuck` does so too, but then stands still amid a transaction on that event; `open` opens
the journal, prints its backlog and closes it.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

import sqlalchemy as sa

from bot.journal.opening import open_journal
from bot.journal.tables import inbox
from tests.journal.conftest import Database
from tests.journal.makers import told
from tests.makers import message


def stand_still(conn: sa.Connection) -> None:
    """Change the event, and stop before that is committed."""
    conn.execute(sa.update(inbox).values(next_try=0.0))
    os.kill(os.getpid(), signal.SIGSTOP)


async def run(mode: str, database: Database) -> None:
    """Do what `mode` says."""
    journal = await open_journal(database.settings)
    if mode == "answer":
        for number in range(10_000):
            await told(journal, f"told {number}", number)
            print(number, flush=True)
    elif mode in ("hold", "stuck"):
        await journal.inbox.admit(message("hold on", number=1))
        print("held", flush=True)
        if mode == "stuck":
            await journal._runner.write(stand_still)
        await asyncio.Event().wait()
    else:
        print(await journal.backlog(), flush=True)
    await journal.close()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], Database(Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)))
