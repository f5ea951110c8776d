"""Views and files of the Slack on loopback: modals, the App Home, uploads."""

import itertools
import json
from typing import Any

from tests.fakes.slack_api import WebApi
from tests.fakes.slack_blocks import Json, view_problem


class Surfaces(WebApi):
    """`modals` are the views opened, by trigger; `homes` each person's App Home as published, newest last."""

    def __init__(self) -> None:
        super().__init__()
        self.modals: dict[str, Json] = {}
        self.homes: dict[str, list[Json]] = {}
        self.uploads: dict[str, Json] = {}
        self.files: list[Json] = []
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
