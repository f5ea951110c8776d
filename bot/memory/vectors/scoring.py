"""Scores one person's memories: exact cosines, BM25 over that person's memories alone, and both combined."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.memory.vectors.values import Floats, Vector

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[Any]

#: BM25's usual constants: how fast repeats of a word saturate, and how much long texts are penalised.
K1, B = 1.2, 0.75


def unit(vector: Sequence[float] | Vector, dims: int) -> Vector:
    """The vector scaled to length 1 (zero stays zero). Raises ValueError for wrong dimensions or non-finite numbers."""
    array = np.asarray(vector, dtype=np.float32).reshape(-1)
    if array.shape != (dims,):
        raise ValueError(f"the vector has {array.size} dimensions, not {dims}")
    norm = float(np.linalg.norm(array))
    if not np.isfinite(norm):
        raise ValueError("the vector holds something that is not a finite number")
    return array / np.float32(norm) if norm > 0 else array


def bm25(
    lengths: npt.NDArray[Any], total: int, average: float, terms: Iterable[tuple[Places, Floats, float]]
) -> Floats:
    """BM25 of rows with these lengths, for a query's terms: each as (positions of rows with it, counts, weight).

    The statistics are of `total` rows, with `average` keywords each.
    """
    scores = np.zeros(len(lengths), dtype=np.float32)
    for places, tf, weight in terms:
        idf = math.log(1 + (total - len(places) + 0.5) / (len(places) + 0.5))
        norms = np.float32(K1 * (1 - B)) + np.float32(K1 * B / average) * lengths[places].astype(np.float32)
        scores[places] += np.float32(weight * idf * (K1 + 1)) * tf / (tf + norms)
    return scores


def member(column: npt.NDArray[np.int64], values: Iterable[int]) -> Mask:
    """Which of the column's hashes are among the values."""
    return np.isin(column, np.fromiter(values, dtype=np.int64))


def best(scores: npt.NDArray[Any], limit: int, *, later_first: bool = False) -> npt.NDArray[np.intp]:
    """The positions of the `limit` highest scores, best first; ties go to the earlier row."""
    places = np.arange(len(scores))
    if later_first:
        places = places[::-1]
    if 0 < limit < len(places):
        part = np.partition(scores[places], len(places) - limit)
        places = places[scores[places] >= part[len(places) - limit]]
    order = np.argsort(-scores[places], kind="stable")
    return places[order][: max(limit, 0)]


def hybrid(cosine: Floats, keyword: Floats) -> Floats:
    """Both as one score from 0 to 1: cosine + 0.8 · BM25 / its maximum, divided by the highest possible sum."""
    highest = float(keyword.max(initial=0.0))
    if highest <= 0:
        return np.clip(cosine, 0, 1)
    mixed: Floats = np.clip((cosine + np.float32(0.8 / highest) * keyword) / np.float32(1.8), 0, 1)
    return mixed
