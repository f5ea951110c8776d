"""The last look at every request to hosted mem0: it is about people by name, never about nobody or everybody.

mem0 takes an absent, empty or `*` user id for everybody's, and `DELETE /v1/memories/` without one empties the project.
So do some of its paths by nature. Here, behind all other code, such a request is an error and isn't sent.
"""

import json
import re
from typing import Any

import httpx

#: What mem0's memory ids look like (UUIDs), and nothing that a path could be bent with.
MEMORY_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
#: The part of a path that is mem0's own: the host's address may have one too.
_OWN = re.compile(r"/v[0-9]+/(ping|event|memories)/.*")
#: What is about one thing by its id.
_ALLOWED = (
    ("GET", re.compile(r"/v1/(ping|event/[^/]+|memories/[A-Za-z0-9_-]+)/")),
    ("DELETE", re.compile(r"/v1/memories/[A-Za-z0-9_-]+/")),
)
_ONE_PERSONS = (("DELETE", "/v1/memories/"), ("POST", "/v3/memories/add/"))
_FILTERED = (("POST", "/v3/memories/"), ("POST", "/v3/memories/search/"))


class Everybody(ValueError):
    """A request that would have been about everybody, or is none of those that the bot makes."""


async def check(request: httpx.Request) -> None:
    """Raise Everybody where a request may not be sent. An event hook of httpx."""
    found = _OWN.search(request.url.path)
    method, path = request.method, found[0] if found else request.url.path
    if any(method == allowed and pattern.fullmatch(path) for allowed, pattern in _ALLOWED):
        return
    if (method, path) in _ONE_PERSONS:
        body = json.loads(request.content) if method == "POST" else dict(request.url.params)
        if _named(body.get("user_id")):
            return
    elif (method, path) in _FILTERED and _about_people(json.loads(request.content).get("filters")):
        return
    raise Everybody(f"{method} {path}: a request to mem0 must be about one person")


def _named(user_id: Any) -> bool:
    return isinstance(user_id, str) and bool(user_id.strip()) and "*" not in user_id


def _about_people(filters: Any) -> bool:
    """Whether all that passes is somebody's by name: each alternative of an OR, at least one part of an AND."""
    if not isinstance(filters, dict):
        return False
    if "user_id" in filters:
        return _named(filters["user_id"])
    metadata = filters.get("metadata")
    if isinstance(metadata, dict) and "owner" in metadata:  # which only this bot's own memories have
        return _named(metadata["owner"])
    alternatives = filters.get("OR")
    if isinstance(alternatives, list) and alternatives and all(_about_people(part) for part in alternatives):
        return True
    parts = filters.get("AND")
    return isinstance(parts, list) and any(_about_people(part) for part in parts)
