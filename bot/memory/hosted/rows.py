"""What goes to hosted mem0 and what comes back: ids, filters and metadata, checked on both ways."""

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.memory.hosted.client import Row
from bot.model import PRIVATE_SCOPE, Exchange, Memory, Source
from bot.text.clean import one_line

_NO_ID = re.compile(r"[\s%*]")


def person_id(user_id: str) -> str:
    """The one guard before every request: the user id as mem0 takes it, without white space and wildcards.

    Raises ValueError for an empty or blank one, which mem0 would read as "everybody".
    """
    if not user_id.strip():
        raise ValueError("a request to mem0 must be about one person: the user id is empty")
    return _NO_ID.sub(lambda found: f"%{ord(found.group()):02X}", user_id)


def filters(accounts: Collection[str], conditions: Sequence[Row] = ()) -> Row:
    """These accounts' memories.

    A filter naming no run finds only those without one, and `*` only those with one; the same of users. What mem0
    attributes to the assistant may have no user, but our metadata says whose it is.
    """
    if not accounts:
        raise ValueError("a request to mem0 must be about one person: no account is named")
    each = [[{"user_id": account}, *conditions] for account in accounts]
    theirs = [part for own in each for part in ({"AND": own}, {"AND": [*own, {"run_id": "*"}]})]
    assistants = [{"AND": [{"run_id": "*"}, {"metadata": {"owner": account}}, *conditions]} for account in accounts]
    return {"OR": theirs + assistants}


def audiences(scopes: frozenset[str] | None) -> list[Row]:
    """Metadata takes no `in`: several audiences are an OR of equalities."""
    if scopes is None:
        return []
    if not scopes:
        raise ValueError("an audience is needed: none would be everybody's")
    return [{"OR": [{"metadata": {"audience": scope}} for scope in sorted(scopes)]}]


def clean(text: str) -> str:
    """Text that can go over the wire and into the service's database: no lone surrogates, no null characters."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def messages(exchange: Exchange) -> list[dict[str, str]]:
    """mem0 drops a message's `name`: the speaker stands in the text."""
    said = {"role": "user", "content": clean(f"{one_line(exchange.name)}: {exchange.text}")}
    answered = {"role": "assistant", "content": clean(exchange.answer)}
    return [said, answered] if exchange.answer.strip() else [said]


def account_of(exchange: Exchange) -> str:
    """The mem0 user that an exchange teaches: the account that said it, whoever's memories it shares by a link."""
    return person_id(exchange.person_key or exchange.user_id)


def fields(token: str, exchange: Exchange) -> dict[str, Any]:
    """What goes with an add. The run keeps audiences apart: mem0 reads what one run holds as context.

    It names the account too, so that no two ever share a run. `token` tells later what has come of this add.
    """
    account = account_of(exchange)
    return {
        "user_id": account,
        "run_id": f"{account}/{exchange.scope}",
        "timestamp": int(exchange.at.timestamp()),
        "metadata": {
            "owner": account,
            "add": token,
            "audience": exchange.scope,
            "source": exchange.event_id,
            "at": exchange.at.isoformat(),
            "place": clean(exchange.place),
            "link": clean(exchange.link),
            "conversation": exchange.conversation,
            "account": exchange.person_key or exchange.user_id,
        },
    }


def metadata_of(row: Row) -> Row:
    metadata = row.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def owner_of(row: Row) -> str:
    """Whose a memory is, by mem0's word, or by ours where mem0 names nobody; "" for nobody's."""
    return str(row.get("user_id") or metadata_of(row).get("owner") or "")


def owned(row: Row, accounts: Collection[str]) -> bool:
    """Whether a memory is one of these accounts'."""
    return owner_of(row) in accounts


def text_of(row: Row) -> str:
    """What is remembered."""
    return str(row.get("memory") or row.get("text") or "")


def memory_of(row: Row, accounts: Collection[str]) -> Memory | None:
    """A memory of these accounts; None where the row is not theirs or holds none. No audience means the narrowest."""
    text = row.get("memory") or row.get("text")
    if not owned(row, accounts) or not isinstance(text, str) or not row.get("id"):
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
