"""Views and files of the Slack on loopback: modals, the App Home, uploads, and what people share."""

import itertools
import json
from collections import deque
from typing import Any

from aiohttp import web

from tests.fakes.slack_api import TEAM, WebApi
from tests.fakes.slack_blocks import Json, view_problem


class Surfaces(WebApi):
    """`modals` are the views opened, by trigger; `homes` each person's App Home as published, newest last.

    `shared` are the files that people share, by id; `fetched` the ids of those that were asked for. `file_faults` are
    what the next requests for one meet: a status, "sign in" (a page, as without the scope) or an address to go to.
    """

    def __init__(self) -> None:
        super().__init__()
        self.modals: dict[str, Json] = {}
        self.homes: dict[str, list[Json]] = {}
        self.uploads: dict[str, Json] = {}
        self.files: list[Json] = []
        self.shared: dict[str, tuple[Json, bytes]] = {}
        self.fetched: list[str] = []
        self.file_faults: deque[int | str] = deque()
        self._triggers: set[str] = set()
        self._ids = itertools.count(1)

    def trigger(self) -> str:
        """A trigger id, good for one view."""
        trigger = f"{next(self._ids)}.trigger"
        self._triggers.add(trigger)
        return trigger

    async def _views_open(self, args: Json) -> Json:
        view = _object(args["view"])
        if args["trigger_id"] not in self._triggers:
            return {"ok": False, "error": "expired_trigger_id"}
        self._triggers.discard(args["trigger_id"])
        if problem := view_problem(view):
            return {"ok": False, "error": problem}
        self.modals[args["trigger_id"]] = {**view, "id": f"V{next(self._ids)}"}
        return {"view": self.modals[args["trigger_id"]]}

    async def _views_publish(self, args: Json) -> Json:
        view = _object(args["view"])
        if problem := view_problem(view):
            return {"ok": False, "error": problem}
        self.homes.setdefault(args["user_id"], []).append({**view, "id": f"V{next(self._ids)}"})
        return {"view": view}

    def file(self, name: str, content: bytes, mimetype: str = "application/octet-stream", **about: Any) -> Json:
        """A file that somebody shares, as their message names it; `about` overwrites that."""
        file_id = f"F{next(self._ids):08d}"
        url = f"{self.url}/files-pri/{TEAM}-{file_id}/{name}"
        file: Json = {"id": file_id, "name": name, "title": name, "mimetype": mimetype, "size": len(content)}
        file |= {"mode": "hosted", "is_external": False, "url_private": url, "url_private_download": url}
        self.shared[file_id] = (file, content)
        return file | about

    async def serve_file(self, request: web.Request) -> web.StreamResponse:
        """Hand out a file to whoever shows the bot's token."""
        file_id = request.match_info["file"].rpartition("-")[2]
        self.fetched.append(file_id)
        fault = self.file_faults.popleft() if self.file_faults else 200
        if fault == "sign in" or request.headers.get("Authorization") != f"Bearer {self.bot_token}":
            return web.Response(text="<!DOCTYPE html><html>Sign in</html>", content_type="text/html")
        if isinstance(fault, str):
            return web.Response(status=302, headers={"Location": fault})
        if fault != 200 or file_id not in self.shared:
            return web.Response(status=404 if fault == 200 else fault, headers={"Retry-After": "1"})
        file, content = self.shared[file_id]
        return web.Response(body=content, content_type=file["mimetype"])

    async def _files_info(self, args: Json) -> Json:
        found = self.shared.get(args["file"])
        return {"file": found[0]} if found else {"ok": False, "error": "file_not_found"}

    async def _conversations_open(self, args: Json) -> Json:
        return {"channel": {"id": self.dm_channel(args["users"])}}

    async def _files_getUploadURLExternal(self, args: Json) -> Json:
        name = f"F{next(self._ids)}"
        self.uploads[name] = {"name": args["filename"], "length": int(args["length"])}
        return {"file_id": name, "upload_url": f"{self.url}/upload/{name}"}

    async def _files_completeUploadExternal(self, args: Json) -> Json:
        finished = _object(args["files"])
        for file in finished:
            upload = self.uploads.pop(file["id"])
            assert len(upload["content"]) == upload["length"]
            self.files.append({**upload, "channel": args.get("channel_id")})
        return {"files": [{"id": file["id"], "title": file.get("title")} for file in finished]}


def _object(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
