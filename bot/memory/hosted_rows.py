"""What goes to hosted mem0 and what comes back: ids, filters and metadata, checked on both ways."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bot.events import PRIVATE_SCOPE, Exchange, Memory, Source
from bot.memory.hosted_client import Row
from bot.prompt import one_line


def person_id(user_id: str) -> str:
    """The one guard before every request: the user id as mem0 takes it, without white space and wildcards.

    Raises ValueError for an empty or blank one, which mem0 would read as "everybody".
    """
    if not user_id.strip():
        raise ValueError("a request to mem0 must be about one person: the user id is empty")
    return re.sub(r"[\s%*]", lambda found: f"%{ord(found.group()):02X}", user_id)


def filters(person: str, conditions: Sequence[Row] = ()) -> Row:
    """That person's memories. A filter naming no run finds only those without one, and `*` only those with one."""
    own = [{"user_id": person}, *conditions]
    return {"OR": [{"AND": own}, {"AND": [*own, {"run_id": "*"}]}]}


def audiences(scopes: frozenset[str] | None) -> list[Row]:
    """Metadata takes no `in`: several audiences are an OR of equalities."""
    if scopes is None:
        return []
    return [{"OR": [{"metadata": {"audience": scope}} for scope in sorted(scopes)]}]


def clean(text: str) -> str:
    """Text that can go over the wire and into the service's database: no lone surrogates, no null characters."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def messages(exchange: Exchange) -> list[dict[str, str]]:
    """mem0 drops a message's `name`: the speaker stands in the text."""
    said = {"role": "user", "content": clean(f"{one_line(exchange.name)}: {exchange.text}")}
    answered = {"role": "assistant", "content": clean(exchange.answer)}
    return [said, answered] if exchange.answer.strip() else [said]


def fields(person: str, exchange: Exchange) -> dict[str, Any]:
    """What goes with an add. The run keeps audiences apart: mem0 reads what one run holds as context.

    It names the person too, so that no two people ever share a run.
    """
    return {
        "user_id": person,
        "run_id": f"{person}/{exchange.scope}",
        "timestamp": int(exchange.at.timestamp()),
        "metadata": {
            "owner": person,
            "audience": exchange.scope,
            "source": exchange.event_id,
            "at": exchange.at.isoformat(),
            "place": clean(exchange.place),
            "link": clean(exchange.link),
            "conversation": exchange.conversation,
            "account": exchange.person_key,
        },
    }


def metadata_of(row: Row) -> Row:
    metadata = row.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def owned(row: Row, person: str) -> bool:
    """Whether a memory is that person's, by mem0's word, or by ours where mem0 names nobody."""
    return (row.get("user_id") or metadata_of(row).get("owner")) == person


def memory_of(row: Row, person: str) -> Memory | None:
    """A memory of that person; None where the row is not theirs or holds none. No audience means the narrowest."""
    text = row.get("memory") or row.get("text")
    if not owned(row, person) or not isinstance(text, str) or not row.get("id"):
        return None
    metadata = metadata_of(row)
    at = _time(metadata.get("at")) or _time(row.get("created_at")) or datetime.fromtimestamp(0, UTC)
    source = metadata.get("source")
    place, link = str(metadata.get("place") or ""), str(metadata.get("link") or "")
    account = str(metadata.get("account") or "")
    return Memory(
        id=str(row["id"]),
        text=text,
        learned_at=at,
        scope=str(metadata.get("audience") or PRIVATE_SCOPE),
        sources=(Source(str(source), at, place, link, account),) if source else (),
        edited_at=_time(metadata.get("edited_at")),
    )


def _time(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
