"""mem0's vector store, whatever the database: exact search, per person, at a cost independent of everybody else's data.

`VectorStore` implements what is done with memories; SQLite and PostgreSQL provide the `Primitives`. mem0's `add` calls
two methods of its own interface, `search` and `insert` (mem0 2.2.1); the others aren't implemented.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from bot.memory import mem0_env
from bot.memory.vectors import changes, lessons, sources
from bot.memory.vectors.changes import Judge
from bot.memory.vectors.lesson import Lesson, current
from bot.memory.vectors.payloads import decode, owner, storable
from bot.memory.vectors.primitives import Primitives
from bot.memory.vectors.scoring import best, hybrid, member, unit
from bot.memory.vectors.told import write as write_told
from bot.memory.vectors.values import Candidates, Query, Record, Row, Scored
from bot.model import Held, Told
from bot.ports import MemoryUnavailable
from bot.text.keywords import Words

mem0_env.prepare()

from mem0.vector_stores.base import VectorStoreBase  # noqa: E402 - mem0 decides on import what it writes and sends

#: Memories per batch when everybody's are searched.
BATCH = 1000

Rows = list[Row]


def _unused(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
    raise NotImplementedError("mem0's add calls none of this")


class VectorStore(Primitives, VectorStoreBase):  # type: ignore[misc] # mem0 has no types
    """The store that mem0 uses, with what our memory needs beyond mem0's interface.

    All methods are thread-safe, and several processes may share one store. They raise what the database raises, and
    ValueError for arguments that don't name one person.
    """

    create_col = list_cols = col_info = delete_col = reset = update = delete = _unused

    # mem0's interface

    def insert(
        self,
        vectors: Sequence[Sequence[float]],
        payloads: Sequence[Mapping[str, Any]] | None = None,
        ids: Sequence[str] | None = None,
    ) -> None:
        """Store memories, all or none, replacing those with the same ids.

        Inside a lesson, they are stored as that lesson's facts, in the transaction that marks it as learned. Raises
        ValueError for a payload without `user_id` and for an invalid vector.
        """
        lesson = current.get()
        if lesson is not None and lesson.attempted:
            raise MemoryUnavailable("the lesson's transaction has failed; its facts are not stored one by one")
        payloads = payloads if payloads is not None else [{}] * len(vectors)
        ids = ids if ids is not None else [str(uuid.uuid4()) for _ in vectors]
        if not len(vectors) == len(payloads) == len(ids):
            raise ValueError("vectors, payloads and ids differ in number")
        records = [
            Record(str(memory_id), unit(vector, self._dims), storable(payload))
            for vector, payload, memory_id in zip(vectors, payloads, ids, strict=True)
        ]
        if lesson is not None:
            self._learn(lesson, records)
            return
        by_user: defaultdict[str, dict[str, Record]] = defaultdict(dict)
        for record in records:
            by_user[owner(record.payload)][record.memory_id] = record
        replaced = 0
        with self._writing() as conn:
            for user_id in self._in_order(by_user):
                wanted = by_user[user_id]
                with self._person(conn, user_id, create=True) as person:
                    if self._is_anothers(conn, user_id, [*wanted]):
                        raise ValueError("an id is another person's memory")
                    replaced += person.erase(person.located([*wanted]))
                    person.add([*wanted.values()])
        if replaced:
            self.scrub()

    def _in_order(self, user_ids: Iterable[str]) -> list[str]:
        """People in a fixed order, so that two processes can't deadlock."""
        return sorted(user_ids, key=self._meta.person_key)

    def search(
        self, query: str, vectors: Sequence[float], top_k: int = 5, filters: Mapping[str, Any] | None = None
    ) -> Rows:
        """The person's memories nearest to the query by meaning and keywords combined, best first, scored 0 to 1.

        Without superseded memories. Inside a lesson, records the ids found there. Raises ValueError for filters that
        don't name one person (`Query.of`).
        """
        asked = Query.of(filters, superseded=False)
        with self._reading() as conn:
            scored = self._scored(conn, asked, unit(vectors, self._dims), query)
            found = self._top(conn, scored, hybrid(scored.cosine, scored.bm25), top_k)
        lesson = current.get()
        if lesson is not None:
            lesson.existing[:] = [row.id for row in found]
        return found

    def list(self, filters: Mapping[str, Any] | None = None, top_k: int | None = None) -> "list[Rows]":
        """The person's memories, newest first, including superseded ones, as the only item of a list (mem0's form)."""
        with self._reading() as conn:
            scored = self._scored(conn, Query.of(filters, superseded=None), None, "")
            limit = len(scored.rows) if top_k is None else top_k
            found = self._top(conn, scored, scored.rows["created_at"], limit, later_first=True)
        for row in found:
            row.score = None
        return [found]

    def _top(
        self, conn: Any, scored: Scored, scores: npt.NDArray[Any], limit: int, *, later_first: bool = False
    ) -> Rows:
        """The best memories, with their payloads."""
        places = best(scores, limit, later_first=later_first)
        numbers = scored.rows["id"][places].tolist()
        stored = self._fetched(conn, numbers)
        found = []
        for place, number in zip(places, numbers, strict=True):
            if (row := stored.get(number)) is not None:
                row.score = float(scores[place])
                found.append(row)
        return found

    # Learning

    def commit(self, lesson: Lesson) -> None:
        """Commit a lesson for which mem0 had nothing to insert: add its sources to the memories that it repeats.

        Raises as `insert` does inside the lesson, and Superseded.
        """
        if not lesson.committed:
            self._learn(lesson, [])

    def _learn(self, lesson: Lesson, records: Sequence[Record]) -> None:
        lesson.attempted = True
        try:
            with self._writing() as conn, self._person(conn, lesson.user_id, create=True) as person:
                added = lessons.write(conn, person, lesson, records)
        except Exception as exc:
            lesson.error = exc
            raise
        lesson.added = len(added)
        lesson.taught = frozenset(source.event_id for fact in added for source in fact.sources)
        lesson.committed = True

    def remember(
        self, told: Told, vectors: Sequence[Sequence[float]], still_asked: Callable[[Any], None]
    ) -> Sequence[bool]:
        """Keep facts word for word; return for each whether this has kept it. Raises what `still_asked` raises."""
        units = [unit(vector, self._dims) for vector in vectors]
        with self._writing() as conn, self._person(conn, told.user_id, create=True) as person:
            return write_told(conn, person, told, units, still_asked)

    # Recall and listing

    def candidates(
        self,
        user_id: str,
        scopes: frozenset[str] | None,
        query: str,
        vector: Sequence[float],
        *,
        superseded: bool | None = False,
    ) -> Candidates:
        """A person's memories whose audience is in `scopes` (None: all), scored for a query and its vector.

        Those in force alone unless `superseded` is None.
        """
        asked = Query(user_id, audiences=scopes, superseded=superseded)
        with self._reading() as conn:
            scored = self._scored(conn, asked, unit(vector, self._dims), query)
        names = ("created_at", "seen_at", "signature", "audience", "conversation", "length")
        columns = (np.ascontiguousarray(scored.rows[name]) for name in names)
        return Candidates(np.ascontiguousarray(scored.rows["id"]), scored.cosine, scored.bm25, *columns)

    def count(self, user_id: str, scopes: frozenset[str] | None) -> Held:
        """How many of a person's memories in force have an audience in `scopes` (None: any), and if others have not."""
        with self._reading() as conn:
            audiences = self._scored(conn, Query(user_id, superseded=False), None, "").rows["audience"]
        if scopes is None:
            return Held(len(audiences))
        here = int(np.count_nonzero(member(audiences, (self._meta.digest("audience", scope) for scope in scopes))))
        return Held(here, here < len(audiences))

    def fetch(self, wanted: Sequence[int] | npt.NDArray[np.int64]) -> Rows:
        """The memories with these numbers, in that order, without those erased meanwhile."""
        numbers = [int(number) for number in wanted]
        with self._reading() as conn:
            found = self._fetched(conn, numbers)
        return [found[number] for number in numbers if number in found]

    def find(self, user_id: str, words: str) -> Rows:
        """The person's memories that contain all the words, apart from case and word endings, newest first."""
        sought = Words(words)
        with self._reading() as conn:
            numbers = self._holding(conn, user_id, sought)
            found = self._fetched(conn, numbers)
        rows = (found[number] for number in numbers if number in found)
        return [row for row in rows if sought.match(str(row.payload.get("data", "")))]

    # What people may do with their memories

    @contextmanager
    def _erasing(self) -> Iterator[Any]:
        """A connection inside a transaction; what it deletes is then scrubbed from the disk."""
        with self._writing(erases=True) as conn:
            yield conn
        self.scrub()

    def amend(
        self,
        user_id: str,
        memory_id: str,
        change: Callable[[dict[str, Any]], dict[str, Any]],
        vector: Sequence[float] | None = None,
    ) -> Row | None:
        """Change a person's memory, and its vector if one is given; None if it is gone or somebody else's."""
        with self._erasing() as conn:
            with self._person(conn, user_id) as person:
                found = person.located([memory_id]) if person is not None else []
                if not found:
                    return None
                number = found[0].number
                person.replace(number, change(decode(found[0].payload)))
                if vector is not None:
                    person.revector(number, unit(vector, self._dims))
            return self._fetched(conn, [number]).get(number)

    def forget(self, user_id: str, ids: Sequence[str]) -> int:
        """Erase memories of one person, and nobody else's; return how many there were."""
        with self._erasing() as conn, self._person(conn, user_id) as person:
            return person.erase(person.located([*dict.fromkeys(map(str, ids))])) if person is not None else 0

    def forget_user(self, user_id: str) -> int:
        """Erase everything about a person; return how many memories there were."""
        with self._erasing() as conn, self._person(conn, user_id) as person:
            return person.erase_all() if person is not None else 0

    def forget_sources(self, event_ids: Sequence[str], user_id: str | None = None) -> int:
        """Forget what events taught, about that person or anybody; return how many memories were affected."""
        with self._reading() as conn:
            concerned = {owner(decode(payload)) for payload in self._taught(conn, event_ids, user_id)}
        touched = 0
        for person_id in sorted(concerned):
            with self._erasing() as conn, self._person(conn, person_id) as person:
                if person is not None:
                    taught = person.taught_by(event_ids)
                    touched += changes.reduce(
                        person, taught, lambda payload: sources.without(payload, event_ids), revive=True
                    )
        return touched

    def sweep(self, judge: Judge) -> int:
        """Go through everybody's memories; keep the sources that `judge` returns ([]: erase it, None: don't change it).

        Returns how many memories were affected.
        """
        touched, after = 0, -1
        while True:
            with self._reading() as conn:
                found = self._page(conn, after, BATCH)
            if not found:
                break
            after = found[-1][0]
            wanted: defaultdict[str, list[int]] = defaultdict(list)
            for number, stored in found:
                payload = decode(stored)
                if judge(payload) is not None:
                    wanted[owner(payload)].append(number)
            for user_id, numbers in wanted.items():
                with self._writing(erases=True) as conn, self._person(conn, user_id) as person:
                    if person is not None:
                        touched += changes.reduce(person, person.numbered(numbers), judge)
        if touched:
            self.scrub()
        return touched

    def move(self, user_id: str, to: str, accounts: Collection[str] | None, home: str) -> int:
        """Move a person's memories to another: all, or what these accounts taught; return how many.

        `home` is the account of sources that name none.
        """
        if user_id == to:
            return 0
        first, second = self._in_order((user_id, to))
        with (
            self._erasing() as conn,
            self._person(conn, first, create=first == to) as locked_first,
            self._person(conn, second, create=second == to) as locked_second,
        ):
            pair = locked_first, locked_second
            former, target = pair if first == user_id else reversed(pair)
            return changes.move(former, target, to, accounts, home) if former is not None else 0
