"""The doctor's checks of the data folder and the database."""

import asyncio
import os
import re
import tempfile

from bot.checks import Finding, secret
from bot.config import Settings
from bot.storage.sqlite import make_folder

#: Seconds for the database to answer.
TIMEOUT = 10.0
#: A driver's name in a database URL.
_DRIVER = re.compile(r"\A(postgres(?:ql)?)\+\w+://")


def check_folder(settings: Settings) -> Finding:
    """Whether the data folder can be written. Blocking."""
    folder = settings.bot_data_dir
    try:
        make_folder(folder)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        reason = os.strerror(exc.errno) if exc.errno else type(exc).__name__
        return Finding("BOT_DATA_DIR", False, f"can't be written ({reason}); choose a folder that this user owns")
    return Finding("BOT_DATA_DIR", True, "can be written")


async def check_database(settings: Settings) -> list[Finding]:
    """Whether DATABASE_URL, if set, leads to a PostgreSQL with pgvector."""
    if settings.database_url is None:
        return []
    import psycopg

    # SQLAlchemy's URLs may name a driver, libpq's may not.
    url = _DRIVER.sub(r"\1://", secret(settings.database_url))
    try:
        async with asyncio.timeout(TIMEOUT):
            connection = await psycopg.AsyncConnection.connect(url, connect_timeout=int(TIMEOUT))
            async with connection:
                cursor = await connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'")
                vector = await cursor.fetchone()
    except (psycopg.Error, OSError, ValueError) as exc:
        state = getattr(exc, "sqlstate", None)
        if isinstance(exc, psycopg.ProgrammingError) and state is None:
            text = "malformed; it reads postgresql://user:password@host:5432/name"
        elif "password authentication failed" in str(exc):
            text = "the server refuses its user or password"
        else:
            text = f"can't be reached ({type(exc).__name__}); check host, port, name and network"
        return [Finding("DATABASE_URL", False, text)]
    if vector is None:
        return [Finding("DATABASE_URL", False, "connected, but the server has no pgvector; install the extension")]
    return [Finding("DATABASE_URL", True, "connected, pgvector is there")]
