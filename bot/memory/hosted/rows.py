"""What goes to hosted mem0 and comes back: ids, filters and metadata, checked both ways."""

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.memory.hosted.client import Json
from bot.model import PRIVATE_SCOPE, Exchange, Memory, QueuedAdd, Source, Told
from bot.text.clean import clean, one_line

_NO_ID = re.compile(r"[\s%*]")


def person_id(user_id: str) -> str:
    """The user id as mem0 accepts it, without white space and wildcards. Every request goes through this.

    Raises ValueError for an empty or blank id, which mem0 would read as "everybody".
    """
    if not user_id.strip():
        raise ValueError("a request to mem0 must be about one person: the user id is empty")
    return _NO_ID.sub(lambda found: f"%{ord(found.group()):02X}", user_id)


def filters(accounts: Collection[str], conditions: Sequence[Json] = ()) -> Json:
    """These accounts' memories.

    A filter without a run finds only memories without one, and `*` only those with one; likewise for users. What mem0
    attributes to the assistant may have no user, but our metadata names its owner.
    """
    if not accounts:
        raise ValueError("a request to mem0 must be about one person: no account is named")
    owners = [[{"user_id": account}, *conditions] for account in accounts]
    theirs = [part for owner in owners for part in ({"AND": owner}, {"AND": [*owner, {"run_id": "*"}]})]
    assistants = [{"AND": [{"run_id": "*"}, {"metadata": {"owner": account}}, *conditions]} for account in accounts]
    return {"OR": theirs + assistants}


def audiences(scopes: frozenset[str] | None) -> list[Json]:
    """The condition for these audiences. Metadata filters have no `in`, so it is an OR of equalities."""
    if scopes is None:
        return []
    if not scopes:
        raise ValueError("an audience is needed: none would be everybody's")
    return [{"OR": [{"metadata": {"audience": scope}} for scope in sorted(scopes)]}]


def messages(exchange: Exchange) -> list[dict[str, str]]:
    """The exchange's messages. mem0 drops a message's `name`, so the speaker is named in the text."""
    question = {"role": "user", "content": clean(f"{one_line(exchange.name)}: {exchange.text}")}
    answer = {"role": "assistant", "content": clean(exchange.answer)}
    return [question, answer] if exchange.answer.strip() else [question]


def account_of(exchange: Exchange) -> str:
    """The mem0 user that an exchange is stored under: the account that wrote it, linked or not."""
    return person_id(exchange.person_key or exchange.user_id)


def fields(token: str, exchange: Exchange) -> dict[str, Any]:
    """An add's fields. The run separates audiences, as mem0 takes its context from one run.

    It also names the account, so that no two accounts share a run. `token` later identifies what came of this add.
    """
    by = exchange.person_key or exchange.user_id
    source = Source(exchange.event_id, exchange.at, exchange.place, exchange.link, by)
    return _fields(account_of(exchange), token, exchange.scope, source, exchange.conversation)


def told_fields(add: QueuedAdd, told: Told) -> dict[str, Any]:
    """The fields of an add that keeps a fact word for word."""
    return {**_fields(add.user_id, add.token, told.scope, told.source, told.conversation), "infer": False}


def _fields(account: str, token: str, scope: str, source: Source, conversation: str) -> dict[str, Any]:
    return {
        "user_id": account,
        "run_id": f"{account}/{scope}",
        "timestamp": int(source.at.timestamp()),
        "metadata": {
            "owner": account,
            "add": token,
            "audience": scope,
            "source": source.event_id,
            "at": source.at.astimezone(UTC).isoformat(),
            "place": clean(source.place),
            "link": clean(source.link),
            "conversation": conversation,
            "account": source.account,
        },
    }


def metadata_of(row: Json) -> Json:
    metadata = row.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def owner_of(row: Json) -> str:
    """Whose a memory is, according to mem0 or, if it names nobody, to our metadata; "" for nobody's."""
    return str(row.get("user_id") or metadata_of(row).get("owner") or "")


def owned(row: Json, accounts: Collection[str]) -> bool:
    """Whether a memory belongs to one of these accounts."""
    return owner_of(row) in accounts


def text_of(row: Json) -> str:
    """A memory's text."""
    return str(row.get("memory") or row.get("text") or "")


def memory_of(row: Json, accounts: Collection[str]) -> Memory | None:
    """A memory of these accounts; None if the row isn't theirs or isn't a memory. No audience means the narrowest."""
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
