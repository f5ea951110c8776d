"""Evidence recall on LoCoMo: `python -m tests.benchmarks.recall --data DIR`.

Each turn is stored verbatim as one memory, each question asked, and the turns that hold its evidence looked for among
the lines that fit the budget: the mean over the questions of the share found. `--data` is a folder with one JSON file
per conversation, or the set's own `locomo10.json`.
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bot.core.briefing import memory_line
from bot.memory import mem0_env
from bot.memory.recall import ranking, recall
from bot.memory.recall.embedder import WordLlamaEmbedder
from bot.model import Memory
from bot.text.keywords import terms

if TYPE_CHECKING:
    from bot.memory.vectors.sqlite.store import SqliteStore
    from bot.memory.vectors.values import Candidates

HOW = """No data. LoCoMo (Maharana et al., ACL 2024) is at https://github.com/snap-research/locomo, under CC BY-NC 4.0:
for measuring only, and no part of this project. Download data/locomo10.json into a folder, and give that folder:
    python -m tests.benchmarks.recall --data FOLDER"""
#: LoCoMo's categories; the fifth, adversarial, asks for what was never said and has no evidence to find.
CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open", 4: "single-hop"}


@dataclass(frozen=True)
class Question:
    """A question, its category, the answer, and the turns (by position) that hold the evidence."""

    text: str
    category: int
    answer: str
    evidence: frozenset[int]


@dataclass(frozen=True)
class Conversation:
    """Turns in order, each with its speaker and time, and the questions about them."""

    name: str
    speakers: tuple[str, ...]
    turns: tuple[str, ...]
    times: tuple[datetime, ...]
    questions: tuple[Question, ...]

    @property
    def told(self) -> tuple[str, ...]:
        """The turns as `Speaker: text`."""
        return tuple(f"{speaker}: {turn}" for speaker, turn in zip(self.speakers, self.turns, strict=True))


def load(folder: Path) -> list[Conversation]:
    """All conversations of a folder, sorted by file name."""
    found = []
    for path in sorted(folder.glob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        for number, sample in enumerate(data if isinstance(data, list) else [data]):
            found.append(_conversation(path.stem if isinstance(data, dict) else f"{path.stem}:{number}", sample))
    return found


def _conversation(name: str, sample: dict[str, Any]) -> Conversation:
    talk = sample.get("conversation", sample)
    ids: dict[str, int] = {}
    speakers: list[str] = []
    turns: list[str] = []
    times: list[datetime] = []
    session = 1
    while f"session_{session}_date_time" in talk:
        at = datetime.strptime(talk[f"session_{session}_date_time"], "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
        for place, turn in enumerate(talk.get(f"session_{session}") or []):
            ids[turn["dia_id"]] = len(turns)
            speakers.append(turn["speaker"])
            turns.append(turn["text"])
            times.append(at + timedelta(seconds=30 * place))
        session += 1
    questions = []
    for asked in sample["qa"]:
        # Some evidence is written "D8:6; D9:17", some "D:11:26", and some names no turn.
        named = re.findall(r"D:?(\d+):(\d+)", " ".join(asked.get("evidence", [])))
        evidence = frozenset(ids[f"D{int(a)}:{int(b)}"] for a, b in named if f"D{int(a)}:{int(b)}" in ids)
        if asked["category"] in CATEGORIES and evidence:
            questions.append(Question(asked["question"], asked["category"], str(asked.get("answer", "")), evidence))
    return Conversation(name, tuple(speakers), tuple(turns), tuple(times), tuple(questions))


@dataclass(frozen=True)
class Shelf:
    """The bot's own store and embedder, each conversation's turns as one person's memories."""

    store: "SqliteStore"
    embedder: WordLlamaEmbedder

    @classmethod
    def open(cls, folder: Path) -> "Shelf":
        """An empty store in a folder."""
        mem0_env.prepare(folder)
        from bot.memory.vectors.sqlite.store import SqliteStore

        embedder = WordLlamaEmbedder()
        return cls(SqliteStore(folder / "recall.db", embedder.dims, embedder.name), embedder)

    def put(self, user_id: str, texts: Sequence[str], times: Sequence[datetime]) -> None:
        """Store texts as memories learned at those times, in order; each one's id ends with its number."""
        shared = {"user_id": user_id, "audience": "private"}
        payloads = [
            {**shared, "data": text, "created_at": at.isoformat()} for text, at in zip(texts, times, strict=True)
        ]
        ids = [f"{user_id} #{number}" for number in range(len(texts))]
        self.store.insert(self.embedder.embed_batch(texts), payloads, ids)


@dataclass(frozen=True)
class Asked:
    """A question to one person's memories, what was said before it, and the budget."""

    shelf: Shelf
    user_id: str
    text: str
    context: tuple[str, ...]
    now: datetime
    tokens: int

    def candidates(self) -> "Candidates":
        """The person's memories, scored for the question alone."""
        return self.shelf.store.candidates(self.user_id, None, self.text, self.shelf.embedder.embed(self.text))

    def fitting(self, found: "Candidates", order: Sequence[int]) -> list[Memory]:
        """What fits the budget of the candidates at these places, best first."""
        best = order[: ranking.max_lines(self.tokens)]
        memories = [recall.to_memory(row) for row in self.shelf.store.fetch([int(found.rows[row]) for row in best])]
        places = ranking.fit(
            [memory.text for memory in memories], [memory.learned_at for memory in memories], self.tokens
        )
        return [memories[place] for place in places]


Method = Callable[[Asked], list[Memory]]


def by_recall(asked: Asked) -> list[Memory]:
    """Ours: what goes into the bot's prompt."""
    return recall.recall(
        asked.shelf.store,
        asked.shelf.embedder,
        asked.tokens,
        asked.user_id,
        None,
        asked.text,
        asked.context,
        asked.now,
    )


def by_keywords(asked: Asked) -> list[Memory]:
    """BM25 alone."""
    found = asked.candidates()
    return asked.fitting(found, np.argsort(-found.keyword, kind="stable").tolist())


def by_embedder(asked: Asked) -> list[Memory]:
    """Cosines alone."""
    found = asked.candidates()
    return asked.fitting(found, np.argsort(-found.semantic, kind="stable").tolist())


def by_mem0(asked: Asked) -> list[Memory]:
    """mem0's own ranking: its pool of candidates, its threshold, its sigmoid over BM25, and no entities (no spaCy)."""
    from mem0.utils.scoring import get_bm25_params, normalize_bm25, score_and_rank

    found = asked.candidates()
    limit = ranking.max_lines(asked.tokens)
    pool = max(limit * 4, 60)
    semantic = np.argsort(-found.semantic, kind="stable")[:pool].tolist()
    keyword = np.argsort(-found.keyword, kind="stable")[:pool].tolist()
    middle, steepness = get_bm25_params(asked.text, lemmatized=" ".join(terms(asked.text)))
    ranked = score_and_rank(
        [{"id": str(row), "score": float(found.semantic[row]), "payload": {}} for row in semantic],
        {
            str(row): normalize_bm25(float(found.keyword[row]), middle, steepness)
            for row in keyword
            if found.keyword[row] > 0
        },
        {},
        0.1,
        limit,
    )
    return asked.fitting(found, [int(row["id"]) for row in ranked])


@dataclass(frozen=True)
class Result:
    """One question: the share of its evidence found, and the tokens that the lines took."""

    conversation: str
    category: int
    found: float
    hits: int
    wanted: int
    tokens: float


def ask(
    shelf: Shelf, user_id: str, conversation: Conversation, method: Method, *, tokens: int, way: str = "alone"
) -> Iterator[Result]:
    """Ask all questions: `alone`, `after` others and their answers, `half`, or that half with the other `before` it."""
    now = conversation.times[-1] + timedelta(days=1)
    for number, question in enumerate(conversation.questions):
        text, context = question.text, tuple[str, ...]()
        if way == "after":
            others = [conversation.questions[(number * 7 + n) % len(conversation.questions)] for n in (2, 3, 5, 8, 13)]
            context = tuple(said for other in others if other is not question for said in (other.text, other.answer))
        elif way in ("half", "before"):
            words = text.split()
            middle = len(words) // 2 + 1
            text, context = " ".join(words[middle:]), (" ".join(words[:middle]),) if way == "before" else ()
        memories = method(Asked(shelf, user_id, text, context, now, tokens))
        hits = len(question.evidence & {int(memory.id.rpartition("#")[2]) for memory in memories})
        spent = sum(len(memory_line(memory)) + 1 for memory in memories) / 4
        wanted = len(question.evidence)
        yield Result(conversation.name, question.category, hits / wanted, hits, wanted, spent)


def _row(name: str, results: Sequence[Result]) -> str:
    def mean(some: Sequence[Result]) -> float:
        return float(np.mean([result.found for result in some])) if some else float("nan")

    cells = [mean([result for result in results if result.category == category]) for category in CATEGORIES]
    names = sorted({result.conversation for result in results})
    spread = [mean([result for result in results if result.conversation == name]) for name in names]
    pooled = sum(result.hits for result in results) / sum(result.wanted for result in results)
    tokens = np.mean([result.tokens for result in results])
    figures = " | ".join(f"{cell:.3f}" for cell in (*cells, mean(results)))
    return f"| {name} | {figures} | {min(spread):.3f} to {max(spread):.3f} | {pooled:.3f} | {tokens:.0f} |"


def report(conversations: Sequence[Conversation], tokens: int, shelf: Shelf) -> Iterator[str]:
    """The tables' lines, as they are measured."""
    turns = sum(len(conversation.turns) for conversation in conversations)
    asked = sum(len(conversation.questions) for conversation in conversations)
    yield f"{len(conversations)} conversations, {turns} turns, {asked} questions, {tokens} tokens of memories each"
    head = " | ".join(f"{number} {name}" for number, name in CATEGORIES.items())
    for form in ("Speaker: text", "text"):
        for conversation in conversations:
            texts = conversation.told if form != "text" else conversation.turns
            shelf.put(f"{form}, dated, {conversation.name}", texts, conversation.times)
            one_day = [conversation.times[-1] + timedelta(milliseconds=200 * number) for number in range(len(texts))]
            shelf.put(f"{form}, one day, {conversation.name}", texts, one_day)
        yield f"\nTurns stored as `{form}`\n"
        yield f"| | {head} | 1 to 4 | conversations | all evidence | tokens |"
        yield "| --- " * 9 + "|"
        for title, method, dates, way in (
            ("ours", by_recall, "dated", "alone"),
            ("ours, all stored on one day", by_recall, "one day", "alone"),
            ("ours, after five unrelated ones", by_recall, "dated", "after"),
            ("BM25 alone", by_keywords, "dated", "alone"),
            ("embedder alone", by_embedder, "dated", "alone"),
            ("mem0's ranking", by_mem0, "dated", "alone"),
            ("ours, half of the question", by_recall, "dated", "half"),
            ("ours, that half after the other", by_recall, "dated", "before"),
        ):
            results: list[Result] = []
            for conversation in conversations:
                user_id = f"{form}, {dates}, {conversation.name}"
                results += ask(shelf, user_id, conversation, method, tokens=tokens, way=way)
            yield _row(title, results)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; 2 where there is no data to measure with."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.recall", description="Evidence recall on LoCoMo.")
    parser.add_argument("--data", type=Path, help="a folder with LoCoMo's conversations")
    parser.add_argument("--tokens", type=int, default=1000, help="the budget, in characters / 4 (default: 1000)")
    options = parser.parse_args(argv)
    conversations = load(options.data) if options.data and options.data.is_dir() else []
    if not conversations:
        print(HOW, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        shelf = Shelf.open(Path(folder))
        try:
            for line in report(conversations, options.tokens, shelf):
                print(line, flush=True)
        finally:
            shelf.store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
