"""Carries sources and supersessions past mem0's `add`, which only keeps a fact's text.

A `Lesson` is set in a context variable around `add`; `asyncio.to_thread` copies the context, so the extractor and the
store see the same object. With our own stores, the facts and the mark "these exchanges are learned" are one
transaction: exactly once.
"""

import hashlib
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from bot.model import Exchange, Source


def text_hash(text: str) -> str:
    """mem0's own key of a fact: the hexadecimal MD5 of its text."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def source_of(exchange: Exchange) -> Source:
    """An exchange as the source of what it taught."""
    return Source(exchange.event_id, exchange.at, exchange.place, exchange.link, exchange.person_key)


@dataclass(slots=True)
class Fact:
    """One extracted fact.

    Attributes:
        text: What it says.
        sources: The events that taught it.
        supersedes: The ids of the memories that are no longer true because of it.
        answered: Only the assistant has said it: if it is known, that tells nothing new.
    """

    text: str
    sources: tuple[Source, ...]
    supersedes: tuple[str, ...] = ()
    answered: bool = False


@dataclass(slots=True)
class Lesson:
    """One `add`: exchanges of one person and scope.

    Attributes:
        existing: Ids of the memories that mem0 shows the extractor, in its numbering (0, 1, …): written by the
            store's `search` while the lesson is current, read by the extractor.
        facts: By `text_hash`: written by the extractor, read by the store's `insert`.
        commit: Runs inside the store's own transaction, with its DBAPI connection: marks the exchanges as learned.
            Raises Superseded if they may not be, which rolls the facts back.
        taught: The events that the new memories come from: set by the store once the transaction is committed.
        committed: Set by the store once the transaction is committed.
        attempted: Set by the store when it starts: mem0 would retry row by row, which must not happen.
        error: The transaction's error, which mem0 swallows.
    """

    user_id: str
    scope: str
    exchanges: tuple[Exchange, ...]
    commit: Callable[[Any], None]
    existing: list[str] = field(default_factory=list)
    facts: dict[str, Fact] = field(default_factory=dict)
    added: int = 0
    taught: frozenset[str] = frozenset()
    committed: bool = False
    attempted: bool = False
    error: Exception | None = None


#: The lesson that code called by `add` belongs to; None outside.
current: ContextVar[Lesson | None] = ContextVar("lesson", default=None)
