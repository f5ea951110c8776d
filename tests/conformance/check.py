"""Holds what went over the wire against what the services say of themselves. A fault is one line."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from tests.conformance.specs import FOLDER, OpenApi, adapted, load
from tests.fakes.traffic import Record

#: Events of Discord's gateway that are an object of its REST interface with something around it.
_EVENTS = {"MESSAGE_CREATE": "MessageResponse"}

#: What Slack takes by its documentation, and its description of 2020 doesn't know yet.
_NEW_ARGUMENTS = {
    "chat.postMessage": {"metadata"},
    "chat.update": {"metadata", "unfurl_links", "unfurl_media"},
    "conversations.history": {"include_all_metadata"},
    "conversations.replies": {"include_all_metadata"},
}
#: Slack's methods that are newer than its description: the arguments that they need, and those that they may have.
_NEW_METHODS = {
    "chat.startStream": ({"channel"}, {"thread_ts", "chunks", "recipient_team_id", "recipient_user_id"}),
    "chat.appendStream": ({"channel", "ts", "chunks"}, set()),
    "chat.stopStream": ({"channel", "ts"}, {"chunks", "blocks", "metadata"}),
}
#: Errors that any method may answer, or that are newer than the description.
_ANY_ERROR = {"ratelimited", "internal_error", "fatal_error", "service_unavailable", "missing_scope", "invalid_auth"}
_NEW_ERRORS = {
    method: {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "restricted_action"}
    for method in ("chat.postMessage", "chat.update", "chat.postEphemeral")
}
_NEW_ERRORS["chat.update"] |= {"streaming_state_conflict"}
#: What mem0's documentation tells and its OpenAPI lacks ("Dream").
_NEW_QUERIES = {"GET /v1/memories/{}/": {"include_merged"}}


def faults(record: Record) -> list[str]:
    """What is wrong with a record."""
    check = {"discord": _discord, "slack": _slack, "mem0": _mem0}[record.service]
    status = f" {record.status}" if record.status else ""
    return [f"{record.service} {record.kind}{status} {record.name}: {fault}" for fault in check(record)]


@cache
def _discord_api() -> OpenApi:
    document = adapted(load("discord_openapi.json"))
    # Its documentation knows forwarded messages, which its description doesn't.
    document["components"]["schemas"]["MessageReferenceType"]["anyOf"].append({"title": "FORWARD", "const": 1})
    return OpenApi(document)


@cache
def _mem0_api() -> OpenApi:
    return OpenApi(adapted(load("mem0_openapi.json")))


def _discord(record: Record) -> Iterator[str]:
    api = _discord_api()
    if record.kind == "event":
        if (name := _EVENTS.get(record.name)) is not None:
            yield from api.faults(record.data, api.component(name))
        return
    if not api.knows(record.name):
        yield "there is no such route"
        return
    if record.kind == "request":
        schema = api.request(record.name)
    elif record.status >= 400:
        schema = api.component("ErrorResponse") if record.status != 429 else None
    else:
        schema = api.answer(record.name, record.status)
    if schema is not None and record.data is not None:
        yield from api.faults(_written_ids(record.data) if record.kind == "request" else record.data, schema)


def _written_ids(data: Any) -> Any:
    """A request with its ids as strings: Discord reads numbers too, and discord.py sends some."""
    if isinstance(data, list):
        return [_written_ids(item) for item in data]
    if not isinstance(data, dict):
        return data
    return {
        key: str(value) if isinstance(value, int) and key.endswith("id") else _written_ids(value)
        for key, value in data.items()
    }


def _mem0(record: Record) -> Iterator[str]:
    api = _mem0_api()
    if not api.knows(record.name):
        yield "there is no such route"
        return
    if record.kind == "request":
        schema = api.request(record.name)
        if schema is not None:
            yield from api.faults(record.data["body"], schema)
    elif record.status < 400 and (schema := api.answer(record.name, record.status)) is not None:
        yield from api.faults(record.data, schema)


def _slack(record: Record) -> Iterator[str]:
    if record.kind == "event":
        yield from _slack_event(record)
        return
    operations = load("slack_web_openapi_v2.json")["paths"].get(f"/{record.name}")
    sample = FOLDER / "slack_samples" / f"{record.name}.json"
    if record.kind == "request":
        if operations is not None:
            yield from _slack_arguments(record, next(iter(operations.values())))
        elif record.name in _NEW_METHODS:
            needed, allowed = _NEW_METHODS[record.name]
            yield from (f"an argument is missing: {name}" for name in needed if record.data.get(name) in (None, ""))
            yield from (f"no such argument: {name}" for name in record.data.keys() - needed - allowed)
        elif not sample.exists():
            yield "there is no such method"
        return
    if record.data.get("ok"):
        if sample.exists():
            yield from _unknown(record.data, load(f"slack_samples/{record.name}.json"), "$")
    elif operations is not None:
        known = _documented_errors(next(iter(operations.values())))
        error = record.data.get("error")
        if known and error not in known | _ANY_ERROR | _NEW_ERRORS.get(record.name, set()):
            yield f"no documented error: {error}"


def _slack_arguments(record: Record, operation: dict[str, Any]) -> Iterator[str]:
    parameters = {parameter["name"]: parameter for parameter in operation["parameters"]}
    for name in record.data.keys() - parameters.keys() - _NEW_ARGUMENTS.get(record.name, set()):
        yield f"no such argument: {name}"
    for name, parameter in parameters.items():
        if parameter.get("required") and name != "token" and record.data.get(name) in (None, ""):
            yield f"an argument is missing: {name}"


def _documented_errors(operation: dict[str, Any]) -> set[str]:
    schema = operation["responses"].get("default", {}).get("schema", {})
    return set(schema.get("properties", {}).get("error", {}).get("enum", ()))


def _slack_event(record: Record) -> Iterator[str]:
    payload = record.data
    if record.name == "slash_commands":
        yield from _unknown(payload, load("slack_samples/SlashCommandPayload.json"), "$")
    elif record.name == "interactive":
        names = {"block_actions": "BlockActionPayload", "view_submission": "ViewSubmissionPayload"}
        if (name := names.get(payload.get("type"))) is not None:
            yield from _unknown(payload, load(f"slack_samples/{name}.json"), "$")
    else:
        event = payload["event"]
        name = _EVENT_SAMPLES.get((event.get("type"), event.get("subtype")))
        if name is not None:
            yield from _unknown(payload, load(f"slack_samples/{name}.json"), "$")


_EVENT_SAMPLES = {
    ("message", None): "MessagePayload",
    ("message", "file_share"): "MessageFileSharePayload",
    ("message", "message_changed"): "MessageChangedPayload",
    ("message", "message_deleted"): "MessageDeletedPayload",
    ("message", "thread_broadcast"): "MessageThreadBroadcastPayload",
    ("app_mention", None): "AppMentionPayload",
    ("app_home_opened", None): "AppHomeOpenedPayload",
    ("app_uninstalled", None): "AppUninstalledPayload",
    ("tokens_revoked", None): "TokensRevokedPayload",
}
#: What Slack documents and the samples leave out.
_SILENT = {
    *("$.view.blocks", "$.response_urls", "$.event.hidden", "$.event.user_team", "$.event.source_team"),
    *("$.event.message.metadata", "$.event.previous_message.metadata"),
}
#: Parts whose keys are the app's own, or whose sample shows one of many kinds.
_FREE = ("blocks", "metadata", "state", "accessory", "elements", "private_metadata", "files", "attachments")


def _unknown(data: Any, sample: Any, path: str) -> Iterator[str]:
    """Fields that the sample, which has all of them, doesn't know."""
    if isinstance(data, list):
        if isinstance(sample, list) and sample:
            for item in data:
                yield from _unknown(item, sample[0], f"{path}[]")
    elif isinstance(data, dict) and isinstance(sample, dict):
        for key, value in data.items():
            if key not in sample and f"{path}.{key}" not in _SILENT:
                yield f"no such field: {path}.{key}"
            elif key not in _FREE and key in sample:
                yield from _unknown(value, sample[key], f"{path}.{key}")
