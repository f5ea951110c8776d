"""What every store of ours does, whatever holds its rows.

A test module subclasses `StoreContract` with a `store` fixture: an empty store for vectors of `DIMS` dimensions.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from bot.memory.vectors import lesson as lessons
from bot.memory.vectors.lesson import Fact, Lesson, text_hash
from bot.model import Exchange, Source
from bot.ports import Superseded

DIMS = 16
START = datetime(2026, 5, 1, 12, tzinfo=UTC)


def vector(seed: int) -> list[float]:
    """A vector of its own for each seed."""
    found: list[float] = np.random.default_rng(seed).normal(size=DIMS).tolist()
    return found


def payload(text: str, user: str = "ann", audience: str = "private", **more: Any) -> dict[str, Any]:
    """A memory as mem0 writes it, with the audience as the bot adds it."""
    created = more.pop("created_at", START.isoformat())
    return {
        "data": text,
        "hash": text_hash(text),
        "user_id": user,
        "run_id": audience,
        "audience": audience,
        "created_at": created,
        "updated_at": created,
        **more,
    }


def fill(store: Any, texts: Sequence[str], user: str = "ann", audience: str = "private") -> list[str]:
    """Store texts a minute apart, each with the vector of its number, and return their ids."""
    ids = [f"{user}-{audience}-{number}" for number in range(len(texts))]
    times = [(START + timedelta(minutes=number)).isoformat() for number in range(len(texts))]
    store.insert(
        [vector(number) for number in range(len(texts))],
        [payload(text, user, audience, created_at=at) for text, at in zip(texts, times, strict=True)],
        ids,
    )
    return ids


def exchange(number: int, text: str = "said", user: str = "ann", scope: str = "private") -> Exchange:
    """An exchange that waits to be learned."""
    at = START + timedelta(hours=number)
    return Exchange(
        id=number,
        event_id=f"discord:{number}",
        user_id=user,
        scope=scope,
        name="Ann",
        text=text,
        answer="ok",
        at=at,
        link=f"https://discord.test/{number}",
        place="#general",
        conversation=f"conversation-{number}",
    )


def make_lesson(*exchanges: Exchange, commit: Any = lambda conn: None) -> Lesson:
    """A lesson of these exchanges, none of its facts found yet."""
    return Lesson(exchanges[0].user_id, exchanges[0].scope, exchanges, commit)


def fact(lesson: Lesson, text: str, *sources: Exchange, supersedes: Sequence[str] = ()) -> str:
    """Do the extractor's part: write a fact on the lesson."""
    found = tuple(Source(source.event_id, source.at, source.place, source.link) for source in sources)
    lesson.facts[text_hash(text)] = Fact(text, found, tuple(supersedes))
    return text


def teach(store: Any, lesson: Lesson, *inserted: tuple[str, str]) -> None:
    """Do mem0's part: insert the (id, text) that it took for new, or nothing, inside the lesson."""
    token = lessons.current.set(lesson)
    try:
        if inserted:
            store.insert(
                [vector(sum(text.encode())) for _, text in inserted],
                [payload(text, lesson.user_id, lesson.scope) for _, text in inserted],
                [memory_id for memory_id, _ in inserted],
            )
        else:
            store.commit(lesson)
    finally:
        lessons.current.reset(token)


def change(
    store: Any, memory_id: str, payload: Any = None, vector: Sequence[float] | None = None, user: str = "ann"
) -> None:
    """Give a memory another payload, another vector, or both."""
    assert store.amend(user, memory_id, lambda former: payload or former, vector) is not None


def count(store: Any, user: str) -> int:
    """How many memories of a person are stored, replaced ones included."""
    return len(store.list({"user_id": user})[0])


def everything(store: Any) -> list[Any]:
    """Everybody's memories."""
    return [row for user in store.owners() for row in store.list({"user_id": user})[0]]


def by_words(store: Any, query: str, user: str = "ann", dims: int = DIMS) -> list[Any]:
    """The memories that hold words of the query, best first, each with its BM25 as its score."""
    found = store.candidates(user, None, query, [0.0] * dims)
    best = [place for place in np.argsort(-found.keyword, kind="stable") if found.keyword[place] > 0]
    rows = store.fetch(found.rows[best])
    for row, place in zip(rows, best, strict=True):
        row.score = float(found.keyword[place])
    return list(rows)


def texts(rows: Sequence[Any]) -> list[str]:
    """The rows' texts, in order."""
    return [row.payload["data"] for row in rows]


class StoreContract:
    """The tests. `store` is overridden by the subclass."""

    @pytest.fixture
    def store(self) -> Any:
        """An empty store."""
        raise NotImplementedError

    # Rows

    def test_get_returns_what_was_inserted(self, store: Any) -> None:
        """A memory comes back with its id and its payload unaltered, whatever the script."""
        written = payload("Ann's naïve 猫 🎉", mood=["a", {"b": 1}], number=1.5, flag=True, none=None)
        store.insert([vector(1)], [written], ["one"])
        row = store.get("one")
        assert (row.id, row.payload) == ("one", written)
        assert store.get("other") is None

    @pytest.mark.parametrize("sources", ["a book", ["a book"], [{"page": 1}], {"a": 1}, None])
    def test_other_peoples_metadata_may_be_called_sources(self, store: Any, sources: Any) -> None:
        """Metadata that happens to be called as ours is kept as it is, and means nothing."""
        store.insert([vector(1)], [payload("likes tea", sources=sources)], ["one"])
        assert store.get("one").payload["sources"] == sources

    def test_an_id_inserted_again_replaces_the_memory(self, store: Any) -> None:
        """Inserting an id that is there replaces that memory, in every index."""
        store.insert([vector(1)], [payload("likes tea")], ["one"])
        store.insert([vector(2)], [payload("likes coffee")], ["one"])
        assert texts(store.list({"user_id": "ann"})[0]) == ["likes coffee"]
        assert store.find("ann", "tea") == []
        assert count(store, "ann") == 1

    def test_an_id_of_another_person_is_refused(self, store: Any) -> None:
        """Nobody's memory is replaced by another person's insert, and the insert stores nothing at all."""
        store.insert([vector(1)], [payload("likes tea")], ["one"])
        with pytest.raises(ValueError, match="another person"):
            store.insert([vector(2), vector(3)], [payload("a", "bob"), payload("b", "bob")], ["two", "one"])
        assert store.get("one").payload["data"] == "likes tea"
        assert count(store, "bob") == 0

    @pytest.mark.parametrize(
        ("vectors", "payloads", "why"),
        [
            ([vector(1)], [{"data": "no owner"}], "user_id"),
            ([vector(1)[:-1]], [payload("short")], "dimensions"),
            ([[float("nan")] * DIMS], [payload("nan")], "finite"),
            ([vector(1), vector(2)], [payload("one")], "number"),
        ],
    )
    def test_a_malformed_insert_is_refused(self, store: Any, vectors: Any, payloads: Any, why: str) -> None:
        """What can't be a person's memory raises ValueError and stores nothing."""
        with pytest.raises(ValueError, match=why):
            store.insert(vectors, payloads, [str(number) for number in range(len(payloads))])
        assert everything(store) == []

    def test_list_is_newest_first_and_nested(self, store: Any) -> None:
        """`list` gives mem0's nested form, newest first, as many as asked for."""
        fill(store, ["one", "two", "three"])
        fill(store, ["other"], "bob")
        assert texts(store.list({"user_id": "ann"})[0]) == ["three", "two", "one"]
        assert texts(store.list({"user_id": "ann"}, top_k=2)[0]) == ["three", "two"]
        assert len(everything(store)) == 4
        assert store.list({"user_id": "nobody"}) == [[]]

    # Search

    def test_search_is_exact(self, store: Any) -> None:
        """The ten nearest by cosine are the ten that a full comparison finds, in its order, after deletions too."""
        ids = fill(store, [f"note {number}" for number in range(120)])
        gone = set(ids[7:40])
        store.forget("ann", sorted(gone))
        query = np.array(vector(1000))
        cosines = {
            memory_id: float(np.dot(v, query) / np.linalg.norm(v) / np.linalg.norm(query))
            for number, memory_id in enumerate(ids)
            if memory_id not in gone
            for v in [np.array(vector(number))]
        }
        expected = sorted(cosines, key=lambda memory_id: -cosines[memory_id])[:10]
        found = store.search("", query.tolist(), 10, {"user_id": "ann"})
        assert [row.id for row in found] == expected
        assert found[0].score == pytest.approx(cosines[expected[0]], abs=1e-5)

    def test_keywords_find_what_vectors_miss(self, store: Any) -> None:
        """A memory that holds the query's rare word comes first, though its vector says nothing."""
        fill(store, [f"walks in the park, day {number}" for number in range(60)] + ["her sister plays the theremin"])
        query, own = np.array(vector(1000)), np.array(vector(60))
        far = (query - own * (query @ own) / (own @ own)).tolist()
        found = store.search("who has a theremin?", far, 3, {"user_id": "ann"})
        assert found[0].payload["data"] == "her sister plays the theremin"
        assert all(0 <= row.score <= 1 for row in found)
        assert [row.score for row in found] == sorted((row.score for row in found), reverse=True)

    def test_keyword_search_stems(self, store: Any) -> None:
        """Word endings and case don't matter, stop words find nothing, and repeats count less than rare words."""
        fill(
            store, ["She was hiking in the Alps", "He hikes on Sundays, hiking alone", "A car", "hike quietly: zither"]
        )
        found = texts(by_words(store, "hikes with a zither"))
        assert found[0] == "hike quietly: zither"
        assert set(found) == {"She was hiking in the Alps", "He hikes on Sundays, hiking alone", "hike quietly: zither"}
        assert by_words(store, "the and of") == []

    def test_search_never_shows_another_person(self, store: Any) -> None:
        """With equal words and vectors, only the person's own memories are found by any method."""
        fill(store, ["likes tea"] * 3, "ann")
        fill(store, ["likes tea"] * 3, "bob")
        asked = {"user_id": "bob"}
        rows = store.search("tea", vector(0), 10, asked) + by_words(store, "tea", "bob") + store.list(asked)[0]
        rows += store.find("bob", "tea") + store.fetch(store.candidates("bob", None, "tea", vector(0)).rows)
        assert len(rows) == 15
        assert {row.payload["user_id"] for row in rows} == {"bob"}
        assert store.search("tea", vector(0), 10, {"user_id": "b"}) == []

    def test_one_persons_keywords_are_weighed_alone(self, store: Any) -> None:
        """Keyword scores of a person are the same whatever others have stored."""
        fill(store, ["likes tea", "likes coffee", "owns a kettle"])
        before = [row.score for row in by_words(store, "tea kettle")]
        fill(store, ["tea"] * 20, "bob")
        assert [row.score for row in by_words(store, "tea kettle")] == before

    @pytest.mark.parametrize("query", ["", "   ", "\0", "\ud800", "🎉", "%' OR 1=1 --", "a" * 20_000])
    def test_any_text_can_be_searched(self, store: Any, query: str) -> None:
        """No text makes a search fail."""
        fill(store, ["likes tea"])
        assert len(store.search(query, [0.0] * DIMS, 5, {"user_id": "ann"})) == 1
        by_words(store, query)
        store.find("ann", query)

    # Filters

    def test_filters(self, store: Any) -> None:
        """A person's memories of one extraction's scope, or of one audience, are found alone."""
        fill(store, ["public tea"], audience="public:x")
        fill(store, ["members tea"], audience="members:y")
        for name in ("run_id", "audience"):
            asked = {"user_id": "ann", name: "public:x"}
            assert texts(store.search("tea", vector(1), 10, asked)) == ["public tea"]
            assert texts(store.list(asked)[0]) == ["public tea"]
            assert store.search("tea", vector(1), 10, {"user_id": "ann", name: "unheard"}) == []

    @pytest.mark.parametrize(
        "filters",
        [
            None,
            {},
            {"run_id": "private"},
            {"user_id": ""},
            {"user_id": "*"},
            {"user_id": None},
            {"user_id": {"in": ["ann", "bob"]}},
            {"OR": [{"user_id": "ann"}, {"user_id": "bob"}]},
            {"user_id": "ann", "audience": {"like": "p%"}},
            {"user_id": "ann", "audience": {}},
            {"user_id": "ann", "audience": {"in": "private"}},
            {"user_id": "ann", "$nor": [{"audience": "private"}]},
            {"user_id": "ann", "OR": {"audience": "private"}},
            {"user_id": "ann", "superseded": True},
            {"user_id": "ann", "audience": ["public:x"]},
            {"user_id": "ann", "agent_id": "a"},
        ],
    )
    def test_a_filter_that_is_not_understood_is_refused(self, store: Any, filters: Any) -> None:
        """Nothing is looked for among everybody's memories, and no part of a filter is ignored."""
        fill(store, ["likes tea"])
        with pytest.raises(ValueError, match=r"filter|user_id"):
            store.search("tea", vector(0), 5, filters)
        with pytest.raises(ValueError, match=r"filter|user_id"):
            store.list(filters)

    # Recall and listing

    def test_candidates_are_the_live_rows_of_the_scopes(self, store: Any) -> None:
        """Candidates are parallel arrays over a person's memories of the scopes asked for, in insertion order."""
        fill(store, ["likes tea", "likes coffee"], audience="public:x")
        fill(store, ["a secret about tea"], audience="private")
        fill(store, ["tea"], "bob", "public:x")
        found = store.candidates("ann", frozenset({"public:x", "shared"}), "tea", vector(0))
        assert texts(store.fetch(found.rows)) == ["likes tea", "likes coffee"]
        assert found.semantic[0] == pytest.approx(1, abs=1e-5)
        assert found.keyword[0] > 0 == found.keyword[1]
        assert found.created_at.tolist() == [START.timestamp(), START.timestamp() + 60]
        assert {len(getattr(found, name)) for name in found.__dataclass_fields__} == {2}
        assert len(store.candidates("ann", None, "tea", vector(0)).rows) == 3
        assert len(store.candidates("ann", frozenset(), "tea", vector(0)).rows) == 0
        assert len(store.candidates("nobody", None, "tea", vector(0)).rows) == 0

    def test_candidates_tell_repeats_and_conversations(self, store: Any) -> None:
        """Texts that say the same share a signature, memories of one conversation its number."""
        said = ["She likes dogs.", "she LIKES dog", "She likes cats"]
        store.insert(
            [vector(number) for number in range(3)],
            [payload(text, conversation=f"c{number // 2}") for number, text in enumerate(said)],
            ["0", "1", "2"],
        )
        found = store.candidates("ann", None, "", vector(0))
        assert found.signature[0] == found.signature[1] != found.signature[2]
        assert found.conversation[0] == found.conversation[1] != found.conversation[2]

    def test_fetch_keeps_the_order_asked_for(self, store: Any) -> None:
        """`fetch` gives rows in the order asked, without those that are gone."""
        fill(store, ["one", "two", "three"])
        rows = store.candidates("ann", None, "", vector(0)).rows
        store.forget("ann", ["ann-private-1"])
        assert texts(store.fetch([rows[2], rows[1], rows[0]])) == ["three", "one"]
        assert store.fetch([]) == []

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ("dogs", ["Two Dogs and a cat", "walks the dog"]),
            ("DOG walking", ["walks the dog"]),
            ("the dog", ["walks the dog"]),
            ("cat", ["Two Dogs and a cat"]),
            ("do", []),
            ("canine", []),
            ("東京", ["東京に住んでいる"]),
            ("住んで", ["東京に住んでいる"]),
            ("京東", []),
            ("любит собаку", ["она любит собак"]),
            ("🎉", ["party 🎉"]),
            ("straße", ["Lives in the STRASSE"]),
        ],
    )
    def test_find_is_literal(self, store: Any, words: str, expected: list[str]) -> None:
        """`find` gives the memories that hold all the words, newest first; never what is merely similar."""
        fill(
            store,
            [
                "walks the dog",
                "Two Dogs and a cat",
                "東京に住んでいる",
                "она любит собак",
                "party 🎉",
                "Lives in the STRASSE",
            ],
        )
        assert texts(store.find("ann", words)) == expected

    def test_find_without_words_gives_all(self, store: Any) -> None:
        """No words leave nothing out."""
        fill(store, ["one", "two"])
        assert texts(store.find("ann", "  ")) == ["two", "one"]

    # Erasure

    def test_forget_touches_one_person(self, store: Any) -> None:
        """Forgetting by id erases that person's memories alone, and tells how many there were."""
        mine, others = fill(store, ["a tea", "b tea"]), fill(store, ["c tea"], "bob")
        assert store.forget("ann", [mine[0], mine[0], others[0], "unknown"]) == 1
        assert (count(store, "ann"), count(store, "bob")) == (1, 1)
        assert texts(by_words(store, "tea")) == ["b tea"]
        assert store.forget("nobody", mine) == 0

    def test_forget_user_erases_everything(self, store: Any) -> None:
        """After forgetting a person nothing of theirs is found, and what they say afterwards is remembered anew."""
        fill(store, [f"note {number}" for number in range(40)])
        fill(store, ["c tea"], "bob")
        assert store.forget_user("ann") == 40
        assert store.forget_user("ann") == 0
        assert store.list({"user_id": "ann"}) == [[]]
        assert store.find("ann", "note") == []
        assert count(store, "bob") == 1
        fill(store, ["likes tea"])
        assert texts(store.search("tea", vector(0), 5, {"user_id": "ann"})) == ["likes tea"]

    def test_forgetting_a_source_erases_what_only_it_taught(self, store: Any) -> None:
        """Without its event a memory goes, unless another event taught it too."""
        first, second = exchange(1), exchange(2)
        learned = make_lesson(first, second)
        teach(
            store,
            learned,
            ("one", fact(learned, "likes tea", first)),
            ("both", fact(learned, "owns a dog", first, second)),
        )
        assert store.forget_sources(["discord:1"], "bob") == 0
        assert store.forget_sources(["discord:1"], "ann") == 2
        assert store.get("one") is None
        assert [source["event_id"] for source in store.get("both").payload["sources"]] == ["discord:2"]
        assert store.forget_sources(["discord:1"]) == 0
        assert store.forget_sources(["discord:2"]) == 1
        assert count(store, "ann") == 0

    # Lessons

    def test_a_lesson_stores_facts_with_their_sources(self, store: Any) -> None:
        """A fact carries its audience, its sources, and the time when it was first said."""
        first, second = exchange(1, scope="public:x"), exchange(2, scope="public:x")
        learned = make_lesson(first, second)
        teach(store, learned, ("one", fact(learned, "likes tea", second, first)))
        found = store.get("one").payload
        assert (learned.added, learned.committed, found["audience"]) == (1, True, "public:x")
        assert found["created_at"] == found["updated_at"] == first.at.isoformat()
        assert {source["event_id"]: source["link"] for source in found["sources"]} == {
            "discord:1": "https://discord.test/1",
            "discord:2": "https://discord.test/2",
        }
        assert found["conversation"] == "conversation-1"

    def test_a_lesson_and_its_mark_are_one_transaction(self, store: Any) -> None:
        """Where the mark may not be set, nothing is stored, neither at once nor row by row."""

        def refuse(conn: Any) -> None:
            raise Superseded

        learned = make_lesson(exchange(1), commit=refuse)
        fact(learned, "likes tea", exchange(1))
        with pytest.raises(Superseded):
            teach(store, learned, ("one", "likes tea"))
        with pytest.raises(Exception, match="one by one"):
            teach(store, learned, ("one", "likes tea"))
        assert isinstance(learned.error, Superseded)
        assert not learned.committed
        assert count(store, "ann") == 0

    def test_a_lesson_without_news_is_settled(self, store: Any) -> None:
        """Where mem0 has nothing to insert, the exchanges are marked all the same, once."""
        calls: list[Any] = []
        learned = make_lesson(exchange(1), commit=calls.append)
        teach(store, learned)
        teach(store, learned)
        assert (len(calls), learned.added, learned.committed) == (1, 0, True)

    def test_a_fact_stated_again_gains_a_source(self, store: Any) -> None:
        """The same fact, punctuation and endings aside, is stored once and knows both events."""
        first = make_lesson(exchange(1))
        teach(store, first, ("one", fact(first, "She likes dogs.", exchange(1))))
        again = make_lesson(exchange(2))
        fact(again, "She likes dogs.", exchange(2))
        teach(store, again)  # mem0 dropped it by its hash
        third = make_lesson(exchange(3))
        teach(store, third, ("three", fact(third, "she likes dog", exchange(3))))  # mem0 took it for new
        (row,) = store.list({"user_id": "ann"})[0]
        assert (row.id, again.added, third.added) == ("one", 0, 0)
        assert [source["event_id"] for source in row.payload["sources"]] == ["discord:1", "discord:2", "discord:3"]
        assert row.payload["created_at"] == exchange(1).at.isoformat()
        assert store.candidates("ann", None, "", vector(0)).seen_at.tolist() == [exchange(3).at.timestamp()]

    def test_a_fact_of_another_audience_is_stored_beside(self, store: Any) -> None:
        """What was said in a direct message doesn't gain a public source, nor the other way round."""
        private = make_lesson(exchange(1))
        teach(store, private, ("one", fact(private, "likes tea", exchange(1))))
        said = exchange(2, scope="public:x")
        public = make_lesson(said)
        teach(store, public, ("two", fact(public, "likes tea", said)))
        assert count(store, "ann") == 2
        assert len(store.get("one").payload["sources"]) == 1

    def test_a_fact_that_lost_its_vector_is_not_learned(self, store: Any) -> None:
        """A fact that mem0 couldn't embed must not pass for learned."""
        learned = make_lesson(exchange(1))
        fact(learned, "likes tea", exchange(1))
        with pytest.raises(Exception, match="without a vector"):
            teach(store, learned)
        assert not learned.committed

    def test_a_newer_fact_supersedes(self, store: Any) -> None:
        """The replaced memory is out of every search, and in the list with its successor's id."""
        first = make_lesson(exchange(1))
        teach(store, first, ("old", fact(first, "lives in Berlin", exchange(1))))
        fill(store, ["lives in Berlin too"], "bob")
        fill(store, ["lives in Berlin, officially"], audience="public:x")
        move = make_lesson(exchange(2))
        replaced = ["old", "new", "bob-private-0", "ann-public:x-0"]
        teach(store, move, ("new", fact(move, "lives in Porto", exchange(2), supersedes=replaced)))
        assert store.get("old").payload["superseded_by"] == "new"
        mine = {"user_id": "ann", "audience": "private"}
        assert texts(store.search("lives Berlin", vector(0), 5, mine)) == ["lives in Porto"]
        assert [row.id for row in by_words(store, "Berlin")] == ["ann-public:x-0"]
        assert texts(store.list(mine)[0]) == ["lives in Porto", "lives in Berlin"]
        for other in ("bob-private-0", "ann-public:x-0"):
            assert "superseded_by" not in store.get(other).payload
        assert len(store.candidates("ann", None, "", vector(0)).rows) == 2
        back = make_lesson(exchange(3))
        teach(store, back, ("back", fact(back, "lives in Berlin", exchange(3), supersedes=["new"])))
        assert texts(store.search("", vector(0), 5, mine)) == ["lives in Berlin"]

    def test_the_lookup_inside_a_lesson_is_written_down(self, store: Any) -> None:
        """The memories that mem0 shows the extractor are on the lesson in mem0's numbering."""
        ids = fill(store, ["likes tea", "likes coffee"])
        learned = make_lesson(exchange(1))
        token = lessons.current.set(learned)
        try:
            store.search("tea", vector(0), 10, {"user_id": "ann", "run_id": "private"})
        finally:
            lessons.current.reset(token)
        assert learned.existing == ids
