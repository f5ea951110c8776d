"""The last check of every request to hosted mem0: it must name people, and never be about nobody or everybody.

mem0 reads an absent, empty or `*` user id as everybody's, and `DELETE /v1/memories/` without one empties the project;
so do some of its paths by design. Here, after all other code, such a request is an error and isn't sent.
"""

import json
import re
from typing import Any

import httpx

#: mem0's memory ids (UUIDs), without any character that could change a path.
MEMORY_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
#: mem0's own part of a path: MEM0_HOST may have a path, too.
_OWN = re.compile(r"/v[0-9]+/(ping|event|memories)/.*")
#: Requests about one thing, by its id.
_ALLOWED = (
    ("GET", re.compile(r"/v1/(ping|event/[^/]+|memories/[A-Za-z0-9_-]+)/")),
    ("DELETE", re.compile(r"/v1/memories/[A-Za-z0-9_-]+/")),
)
_ONE_PERSONS = (("DELETE", "/v1/memories/"), ("POST", "/v3/memories/add/"))
_FILTERED = (("POST", "/v3/memories/"), ("POST", "/v3/memories/search/"))


class AboutEverybody(ValueError):
    """A request that would be about everybody, or that the bot doesn't make."""


async def check(request: httpx.Request) -> None:
    """Raise AboutEverybody if a request may not be sent. An event hook for httpx."""
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
    raise AboutEverybody(f"{method} {path}: a request to mem0 must be about one person")


def _named(user_id: Any) -> bool:
    return isinstance(user_id, str) and bool(user_id.strip()) and "*" not in user_id


def _about_people(filters: Any) -> bool:
    """Whether filters pass only named people's memories: each alternative of an OR, at least one part of an AND."""
    if not isinstance(filters, dict):
        return False
    if "user_id" in filters:
        return _named(filters["user_id"])
    metadata = filters.get("metadata")
    if isinstance(metadata, dict) and "owner" in metadata:  # only this bot's memories have it
        return _named(metadata["owner"])
    alternatives = filters.get("OR")
    if isinstance(alternatives, list) and alternatives and all(_about_people(part) for part in alternatives):
        return True
    parts = filters.get("AND")
    return isinstance(parts, list) and any(_about_people(part) for part in parts)
