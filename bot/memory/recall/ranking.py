"""Which memories go into a prompt: pure functions over NumPy arrays, one entry per memory of one person.

The choices are few and round on purpose; `python -m tests.benchmarks.recall` measures them. A row's match is a third
meaning and two thirds words, each against the best row. What was learned beside a match counts half as much, one step
further a quarter. A question about a time raises what was learned then, and the newer of two equals comes first.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from bot.text.keywords import stems
from bot.text.time_expressions import TimeWindow

Floats = NDArray[np.float64] | NDArray[np.float32]
Rows = NDArray[np.intp]

#: Memories learned further apart than this (seconds) are not beside each other: no sitting holds a night.
SITTING = 6 * 3600.0
#: What the rows one, two and three steps away add, the better of both sides at each step.
BESIDE = (0.5, 0.25, 0.125)
#: What a time window adds, against the best row's match of 1.
WINDOW = 0.5
#: What being new adds against the best row's match, and how long (seconds) until half of it is gone.
RECENT = 0.05
RECENT_HALF_LIFE = 30 * 86400.0
#: Characters of a memory's line in the prompt, `- [YYYY-MM-DD] text` and a newline, beside its text.
LINE = 16
#: Characters that the budget counts as one token.
CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Match:
    """How well each of n rows matches one text.

    Attributes:
        semantic: Cosines, of any embedder: only their order and relative distances count.
        keyword: BM25 scores, 0 where no word matches.
    """

    semantic: Floats
    keyword: Floats


def rank(
    query: Match,
    created_at: Floats,
    *,
    now: float,
    seen_at: Floats | None = None,
    group: NDArray[np.integer] | None = None,
    context: Match | None = None,
    words: int = 0,
    window: TimeWindow | None = None,
    limit: int | None = None,
) -> Rows:
    """The rows' numbers, best first: all of them, or the best `limit`.

    Args:
        query: How the rows match the question.
        created_at: When each was learned, in epoch seconds. Rows stand in the order in which they were stored.
        now: The present, in epoch seconds.
        seen_at: When each was last said, in epoch seconds, where that may be later.
        group: Rows of one number may be beside each other: the scope, since a thread often holds one message alone.
        context: How the rows match the conversation's last texts, all as one text.
        words: How many telling words the question has. The context counts as much as one more of them.
        window: The time that the question speaks of.
    """
    rows = len(created_at)
    if rows == 0 or limit == 0:
        return np.empty(0, np.intp)
    score = _match(query)
    if context is not None:
        score = score + _match(context) / (1 + words)
    score = _raised(score, created_at, group)
    score = _to_best(score)
    last = created_at if seen_at is None else np.maximum(seen_at, created_at)
    score += RECENT * np.exp2(-np.maximum(now - last, 0) / RECENT_HALF_LIFE)
    if window is not None:
        score += WINDOW * np.maximum(_within(created_at, window), _within(last, window))
    score = np.asarray(np.round(score, 9), np.float64)  # or rounding errors would tell equals apart
    newest_first = np.arange(rows - 1, -1, -1)
    if limit is not None and limit < rows:
        # The rows with the limit's own score come along, so that equals are told apart as in the full order.
        least = np.partition(score, rows - limit)[rows - limit]
        newest_first = newest_first[score[newest_first] >= least]
    return newest_first[np.argsort(-score[newest_first], kind="stable")][:limit]


def _match(text: Match) -> Floats:
    """From 0 to 1: a third for meaning above the average row's, two thirds for words."""
    semantic = np.nan_to_num(np.asarray(text.semantic, np.float64))
    keyword = np.nan_to_num(np.asarray(text.keyword, np.float64))
    return (_to_best(semantic - semantic.mean()) + 2 * _to_best(keyword)) / 3


def _to_best(score: Floats) -> Floats:
    best = float(score.max())
    return np.clip(score / best, 0, 1) if best > 1e-9 else np.zeros(len(score))


def _raised(score: Floats, created_at: Floats, group: NDArray[np.integer] | None) -> Floats:
    """Each score, and what its neighbours of the same group and sitting add to it."""
    order = None if group is None or not np.ptp(group) else np.argsort(group, kind="stable")
    if group is None or order is None:
        apart = np.abs(np.diff(created_at)) > SITTING
        own = score
    else:
        apart = (np.diff(group[order]) != 0) | (np.abs(np.diff(created_at[order])) > SITTING)
        own = score[order]
    sitting = np.concatenate(([0], np.cumsum(apart)))
    raised = own.copy()
    for step, share in enumerate(BESIDE, 1):
        if step >= len(own):
            break
        together = sitting[step:] == sitting[:-step]
        better = np.zeros(len(own))
        better[step:] = own[:-step] * together
        better[:-step] = np.maximum(better[:-step], own[step:] * together)
        raised += share * better
    if order is None:
        return raised
    back = np.empty_like(raised)
    back[order] = raised
    return back


def _within(created_at: Floats, window: TimeWindow) -> Floats:
    """1 within the window, half of it one window's length away: what happened then may have been told later."""
    start, end = window.start.timestamp(), window.end.timestamp()
    distance = np.maximum(np.maximum(start - created_at, created_at - end), 0)
    return np.exp2(-distance / (end - start))


def most(tokens: int) -> int:
    """How many of the best rows `fit` should be given: more than could ever fit, for those that it passes over."""
    return tokens * CHARACTERS_PER_TOKEN // LINE


def fit(texts: Sequence[str], learned_at: Sequence[datetime], tokens: int) -> list[int]:
    """The positions of the texts that fit the budget, best first, as lines of a prompt.

    Where all fit, it is all. Else a text too long for what is left is passed over, and of near-duplicates one is taken,
    the newest, in the place of the best.

    Args:
        texts: Memories, best first.
        learned_at: When each was learned.
        tokens: The budget, in tokens of four characters.
    """
    left = tokens * CHARACTERS_PER_TOKEN
    if sum(map(len, texts)) + LINE * len(texts) <= left:
        return list(range(len(texts)))
    taken: list[int] = []
    said: list[_Said] = []
    for position, text in enumerate(texts):
        if len(text) + LINE > left:
            continue
        new = _Said.of(text)
        twin = next((place for place, old in enumerate(said) if new.repeats(old)), None)
        if twin is None:
            left -= len(text) + LINE
            taken.append(position)
            said.append(new)
        elif learned_at[position] > learned_at[taken[twin]]:
            left -= len(text) - len(texts[taken[twin]])
            taken[twin], said[twin] = position, new
    return taken


_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_FILLERS = frozenset("a also an and just of quite really so that the to too very".split())  # noqa: SIM905 (a line)
_NEGATIONS = frozenset(("cannot", "never", "no", "nobody", "none", "nor", "not", "nothing", "without"))


@dataclass(frozen=True, slots=True)
class _Said:
    """What a text says: its stems without fillers, and the words that a near-duplicate must share."""

    stems: frozenset[str]
    telling: frozenset[str]

    @classmethod
    def of(cls, text: str) -> "_Said":
        # Names, numbers and negations: "in Porto" and "in Lisbon" share most words and nothing else.
        telling = {word.casefold() for word in _WORD.findall(text) if _tells(word)}
        return cls(frozenset(stems(text)) - _FILLERS, frozenset(telling) - _FILLERS)

    def repeats(self, other: "_Said") -> bool:
        """Whether both say the same but for one word in ten, which is no name, number or negation."""
        if self.stems == other.stems:
            return bool(self.stems)
        shared = len(self.stems & other.stems)
        return self.telling == other.telling and shared >= 0.9 * len(self.stems | other.stems)


def _tells(word: str) -> bool:
    folded = word.casefold().replace("’", "'")
    # Anything with a capital, a digit or an apostrophe: better a repetition too many than a memory lost.
    return not word.islower() or not word.isalpha() or folded in _NEGATIONS or folded.endswith("n't")
