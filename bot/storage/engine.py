"""SQLAlchemy's engines, which never show a statement's parameters."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from bot.config import SettingsError
from bot.storage.postgres import CONNECT, LIMITS
from bot.storage.sqlite import connect

#: Connections per engine on PostgreSQL: few, since small databases allow only twenty in total.
CONNECTIONS = 4


def sqlite_engine(path: Path) -> sa.Engine:
    """An engine over one connection to the file."""
    return sa.create_engine(
        "sqlite://", creator=lambda: connect(path), poolclass=StaticPool, hide_parameters=True, echo=False
    )


def parse_url(url: str) -> sa.URL:
    """DATABASE_URL with our driver. Raises SettingsError, without the password, if it isn't a PostgreSQL URL."""
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise SettingsError("DATABASE_URL: not a URL like postgresql://user:password@host:5432/database") from None
    if parsed.get_backend_name() not in ("postgres", "postgresql"):
        raise SettingsError("DATABASE_URL: must start with postgresql:// (leave it unset to use SQLite)")
    return parsed.set(drivername="postgresql+psycopg")


def postgres_engine(url: sa.URL) -> sa.Engine:
    """An engine that has connected once. Raises SettingsError, with the reason, if it can't."""
    engine = sa.create_engine(
        url,
        pool_size=CONNECTIONS,
        max_overflow=0,
        hide_parameters=True,
        echo=False,
        connect_args=CONNECT,
    )

    @sa.event.listens_for(engine, "connect")
    def limit(connection: Any, _record: object) -> None:
        connection.execute(LIMITS)
        connection.commit()

    try:
        with engine.connect():
            return engine
    except (sa.exc.SQLAlchemyError, OSError) as exc:
        engine.dispose()
        raise SettingsError(f"DATABASE_URL: {_trouble(exc)}") from None


def _trouble(exc: Exception) -> str:
    """What went wrong, without any part of the URL: the password may be where the host should be."""
    words = str(exc).lower()
    if "authentication failed" in words or "no password supplied" in words:
        return "the server refuses the user or the password"
    if "does not exist" in words and "database" in words:
        return "the server has no database of that name"
    return "no PostgreSQL can be reached at its host and port"
