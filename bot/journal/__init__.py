"""What must outlive a crash, in SQLite or PostgreSQL: one object per role, put together in `bot.journal.journal`.

`open_journal` is the entry point; `mark_learned` and `require_open` are the journal's part in the memory store's own
transactions.
SQLAlchemy is imported when the first journal is opened.
"""

from typing import TYPE_CHECKING

from bot.journal.learned import mark_learned, require_open

if TYPE_CHECKING:
    from bot.config import Settings
    from bot.journal.journal import SqlJournal

__all__ = ["mark_learned", "open_journal", "require_open"]


async def open_journal(settings: "Settings") -> "SqlJournal":
    """Open the journal in DATABASE_URL, or in BOT_DATA_DIR, migrated to the newest revision.

    Raises SettingsError, with one line that names the variable, if that can't be done.
    """
    from bot.journal.opening import open_journal

    return await open_journal(settings)
