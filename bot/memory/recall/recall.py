"""One recall from a store of our own: embed, score, rank, fetch and fit the budget, all in one thread."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np

from bot.memory.recall import ranking
from bot.memory.recall.embedder import Embedder
from bot.model import Memory, Source
from bot.text import time_expressions
from bot.text.clean import one_line
from bot.text.keywords import terms

#: Characters of a long message that are searched for, from its beginning and end. Each word costs a lookup.
QUERY = 2000
#: The same for each earlier text of the context.
CONTEXT = 500
#: Memories that a search returns at most: those that recall puts into a prompt beside the best are no answer to it.
RESULTS = 20


class Row(Protocol):
    """A stored memory."""

    @property
    def id(self) -> str:
        """mem0's id."""
        ...

    @property
    def payload(self) -> Mapping[str, Any]:
        """What mem0 calls its payload."""
        ...


class Store(Protocol):
    """The reading half of our stores. `candidates` returns `bot.memory.vectors.values.Candidates`."""

    def candidates(
        self,
        user_id: str,
        scopes: frozenset[str] | None,
        query: str,
        vector: Sequence[float],
        *,
        superseded: bool | None = False,
    ) -> Any:
        """All memories of a person in these scopes, scored: those in force alone unless `superseded` is None."""
        ...

    def fetch(self, wanted: Any) -> Sequence[Row]:
        """Memories by their row numbers."""
        ...


def recall(
    store: Store,
    embedder: Embedder,
    tokens: int,
    user_id: str,
    scopes: frozenset[str] | None,
    query: str,
    context: Sequence[str],
    now: datetime,
) -> list[Memory]:
    """The best memories that fit into `tokens`, best first."""
    window = time_expressions.find(query, now)
    asked = _ends(window.rest if window else query, QUERY)
    found = store.candidates(user_id, scopes, asked, embedder.embed(asked, "search"))
    if not len(found.rows) or not ranking.max_lines(tokens):
        return []
    order = ranking.rank(
        ranking.Match(found.semantic, found.keyword),
        found.created_at,
        now=now.timestamp(),
        seen_at=found.seen_at,
        group=found.audience,
        context=_context(store, embedder, user_id, scopes, context, found),
        words=len(terms(asked)),
        window=window,
        limit=ranking.max_lines(tokens),
    )
    wanted = found.rows[order]
    # A third of the rows that could fit nearly always fills the budget. The others are fetched only if there is still
    # room for one of average length.
    first = max(len(wanted) // 3, 60)
    memories = _fitting(store.fetch(wanted[:first]), tokens)
    lines = [ranking.LINE + len(one_line(memory.text)) for memory in memories]
    left = tokens * ranking.CHARACTERS_PER_TOKEN - sum(lines)
    if len(wanted) > first and left * len(lines) >= sum(lines):
        memories = _fitting(store.fetch(wanted), tokens)
    return memories


def search(
    store: Store,
    embedder: Embedder,
    tokens: int,
    user_id: str,
    scopes: frozenset[str] | None,
    query: str,
    now: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Memory]:
    """The best memories for a query, superseded ones included, of those said from `since` to before `until`."""
    window = time_expressions.find(query, now)
    asked = _ends(window.rest if window else query, QUERY)
    found = store.candidates(user_id, scopes, asked, embedder.embed(asked, "search"), superseded=None)
    if since is not None or until is not None:
        start = -np.inf if since is None else since.timestamp()
        end = np.inf if until is None else until.timestamp()
        told = [(start <= said) & (said < end) for said in (found.created_at, found.seen_at)]
        found = found.only(told[0] | told[1])
    if not len(found.rows):
        return []
    order = ranking.rank(
        ranking.Match(found.semantic, found.keyword),
        found.created_at,
        now=now.timestamp(),
        seen_at=found.seen_at,
        group=found.audience,
        words=len(terms(asked)),
        window=window,
        limit=min(RESULTS, ranking.max_lines(tokens)),
    )
    return _fitting(store.fetch(found.rows[order]), tokens)


def _fitting(rows: Sequence[Row], tokens: int) -> list[Memory]:
    memories = [to_memory(row) for row in rows]
    texts = [one_line(memory.text) for memory in memories]
    kept = ranking.fit(texts, [memory.learned_at for memory in memories], tokens)
    return [memories[position] for position in kept]


def _context(
    store: Store, embedder: Embedder, user_id: str, scopes: frozenset[str] | None, context: Sequence[str], found: Any
) -> ranking.Match | None:
    text = "\n".join(_ends(text, CONTEXT) for text in context).strip()
    if not text:
        return None
    matches = store.candidates(user_id, scopes, text, embedder.embed(text, "search"))
    # Between the two searches a memory may have come or gone: then rank by the question alone, this once.
    if not np.array_equal(matches.rows, found.rows):
        return None
    return ranking.Match(matches.semantic, matches.keyword)


def _ends(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit // 2]} {text[-limit // 2 :]}"


def to_memory(row: Row) -> Memory:
    """A stored memory as a value. If it was said more than once, it is dated by the last time."""
    payload = row.payload
    sources = tuple(
        Source(
            source["event_id"],
            _time(source["at"]),
            source.get("place", ""),
            source.get("link", ""),
            source.get("account", ""),
        )
        for source in payload.get("sources") or ()
    )
    learned_at = max((source.at for source in sources), default=_time(payload.get("created_at")))
    edited_at = payload.get("edited_at")
    return Memory(
        row.id,
        str(payload.get("data", "")),
        learned_at,
        str(payload.get("audience", "")),
        sources,
        payload.get("superseded_by"),
        _time(edited_at) if edited_at else None,
    )


def _time(stored: Any) -> datetime:
    try:
        at = datetime.fromisoformat(stored)
    except (TypeError, ValueError):
        return datetime.fromtimestamp(0, UTC)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
