"""The journal's part in the memory store's own transaction."""

import sqlite3
from collections.abc import Iterable
from typing import Any

from bot.model import Exchange
from bot.ports import Superseded


def require_open(connection: Any, event_id: str) -> None:
    """Raise Superseded unless an event is still to be answered, as far as the transaction of `connection` sees.

    What forgets that event waits for the transaction, and then finds what it has kept.
    """
    lite = isinstance(connection, sqlite3.Connection)
    find = "SELECT 1 FROM inbox WHERE event_id = " + ("?" if lite else "%s FOR SHARE")
    if connection.execute(find, (event_id,)).fetchone() is None:
        raise Superseded(f"{event_id} is no longer to be answered")


def mark_learned(connection: Any, exchanges: Iterable[Exchange]) -> None:
    """Delete learned exchanges within the transaction of `connection`, a raw sqlite3 or psycopg connection.

    Commits nothing by itself. Raises Superseded if any of them is gone: another process has learned it, or its person
    has had it forgotten. Committed together with the facts, each exchange is learned exactly once.
    """
    mark = "?" if isinstance(connection, sqlite3.Connection) else "%s"
    delete = f"DELETE FROM exchanges WHERE id = {mark} AND event_id = {mark}"
    # In the order of their ids, so that two processes wait for each other and never deadlock.
    for exchange in sorted(exchanges, key=lambda exchange: exchange.id):
        if connection.execute(delete, (exchange.id, exchange.event_id)).rowcount != 1:
            raise Superseded(f"exchange {exchange.id} is no longer waiting")
