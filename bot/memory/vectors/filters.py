"""mem0's metadata filters, compiled to a predicate over payloads.

The form is the one that mem0's `_process_metadata_filters` hands to a store: equality (`{"key": value}`), a list or
`{"in": […]}`, the comparisons `eq ne gt gte lt lte in nin contains icontains`, `"*"` for "has the key", and `AND`,
`OR`, `NOT` (also `$and`, `$or`, `$not`) over lists of filters. What isn't known raises ValueError: a filter that is
ignored would show one person's or one channel's memories in another.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Payload = Mapping[str, Any]
Predicate = Callable[[Payload], bool]
Filters = Mapping[str, Any]

_LOGIC = {"AND": "AND", "$and": "AND", "OR": "OR", "$or": "OR", "NOT": "NOT", "$not": "NOT"}
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Query:
    """A compiled filter.

    Attributes:
        user_id: Whose memories; None only where `compile_filters` was told that this may be.
        audiences, runs: The values allowed for `audience` and `run_id`; None for all.
        superseded: False for live memories, True for replaced ones, None for both.
        rest: What else a payload must satisfy; None where nothing else is asked.
    """

    user_id: str | None
    audiences: frozenset[str] | None = None
    runs: frozenset[str] | None = None
    superseded: bool | None = None
    rest: Predicate | None = None


def compile_filters(filters: Filters | None, *, superseded: bool | None, everybody: bool = False) -> Query:
    """Compile mem0's filters. `superseded` is what holds where they don't speak of it.

    Raises ValueError for an unknown operator, a malformed value, and filters without one `user_id` (unless there are
    none at all and `everybody` is allowed).
    """
    if not filters and everybody:
        return Query(None, superseded=superseded)
    remaining = dict(filters or {})
    user_id = _one(remaining.pop("user_id", None))
    if user_id is None:
        raise ValueError("filters must hold one user_id: a memory is never looked for among everybody's")
    audiences = _column(remaining, "audience")
    runs = _column(remaining, "run_id")
    if "superseded" in remaining:
        superseded = _flag(remaining.pop("superseded"))
    return Query(user_id, audiences, runs, superseded, _all(remaining) if remaining else None)


def _one(value: Any) -> str | None:
    if isinstance(value, Mapping) and set(value) == {"eq"}:
        value = value["eq"]
    return value if isinstance(value, str) and value and value != "*" else None


def _flag(value: Any) -> bool | None:
    if isinstance(value, Mapping) and set(value) == {"eq"}:
        value = value["eq"]
    if value == "*":
        return None
    if isinstance(value, bool):
        return value
    raise ValueError('the filter on "superseded" takes True, False or "*"')


def _column(remaining: dict[str, Any], key: str) -> frozenset[str] | None:
    """Take a filter that a column can answer (equality, in) out of the rest; None where there is none."""
    value = remaining.get(key, _MISSING)
    values: Any = None
    if isinstance(value, str) and value != "*":
        values = [value]
    elif isinstance(value, list | tuple | set | frozenset):
        values = list(value)
    elif isinstance(value, Mapping) and len(value) == 1:
        values = [value["eq"]] if "eq" in value else value.get("in")
    if not isinstance(values, list | tuple | set | frozenset) or not all(isinstance(each, str) for each in values):
        return None
    del remaining[key]
    return frozenset(values)


def _all(filters: Filters) -> Predicate:
    parts = [_part(key, value) for key, value in filters.items()]
    return lambda payload: all(part(payload) for part in parts)


def _part(key: str, value: Any) -> Predicate:
    logic = _LOGIC.get(key)
    if logic is None:
        if key.startswith("$"):
            raise ValueError(f"unsupported filter operator: {key}")
        return _field(key, value)
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise ValueError(f"{key} takes a list of filters")
    parts = [_all(each) for each in value]
    if logic == "AND":
        return lambda payload: all(part(payload) for part in parts)
    if logic == "OR":
        return lambda payload: any(part(payload) for part in parts)
    return lambda payload: not any(part(payload) for part in parts)


def _field(key: str, value: Any) -> Predicate:
    def get(payload: Payload) -> Any:
        if key == "superseded":
            return bool(payload.get("superseded_by"))
        return payload.get(key, _MISSING)

    if isinstance(value, str) and value == "*":
        return lambda payload: get(payload) is not _MISSING
    if isinstance(value, Mapping):
        if not value:
            raise ValueError(f"the filter on {key!r} names no operator")
        tests = [_comparison(key, operator, operand) for operator, operand in value.items()]
        return lambda payload: all(test(get(payload)) for test in tests)
    test = _comparison(key, "in" if isinstance(value, list | tuple | set | frozenset) else "eq", value)
    return lambda payload: test(get(payload))


def _comparison(key: str, operator: str, operand: Any) -> Callable[[Any], bool]:
    if operator in ("in", "nin"):
        if not isinstance(operand, list | tuple | set | frozenset):
            raise ValueError(f"the filter {operator!r} on {key!r} takes a list")
        values = list(operand)
        return (lambda value: _among(value, values)) if operator == "in" else (lambda value: not _among(value, values))
    if operator == "eq":
        return lambda value: _equal(value, operand)
    if operator == "ne":
        return lambda value: not _equal(value, operand)
    if operator in ("gt", "gte", "lt", "lte"):
        return lambda value: _ordered(operator, value, operand)
    if operator == "contains":
        return lambda value: _contains(value, operand)
    if operator == "icontains":
        folded = str(operand).casefold()
        return lambda value: isinstance(value, str) and folded in value.casefold()
    raise ValueError(f"unsupported filter operator on {key!r}: {operator}")


def _equal(value: Any, operand: Any) -> bool:
    # A flag isn't a number here: True must not find 1.
    return isinstance(value, bool) == isinstance(operand, bool) and bool(value == operand)


def _among(value: Any, values: list[Any]) -> bool:
    if isinstance(value, list):
        return any(_equal(each, operand) for each in value for operand in values)
    return any(_equal(value, operand) for operand in values)


def _contains(value: Any, operand: Any) -> bool:
    if isinstance(value, str):
        return isinstance(operand, str) and operand in value
    return isinstance(value, list) and any(_equal(each, operand) for each in value)


def _ordered(operator: str, value: Any, operand: Any) -> bool:
    numbers = isinstance(value, int | float) and isinstance(operand, int | float)
    if not numbers and not (isinstance(value, str) and isinstance(operand, str)):
        return False
    if operator == "gt":
        return bool(value > operand)
    if operator == "gte":
        return bool(value >= operand)
    if operator == "lt":
        return bool(value < operand)
    return bool(value <= operand)
