"""The stub journal's part in people's rights."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.events import Edit, Edited, MessageEvent
from bot.model import Account, Erasure, Joined, StoredMessage


class StubRights:
    """Settings, links and erasures in memory. `deleted` are the messages whose deletion it was told of."""

    def __init__(self) -> None:
        self.links: dict[str, str] = {}
        self.paused: dict[str, bool] = {}  # user id: whether an answer has said so
        self.owing: dict[int, Erasure] = {}
        self.codes: dict[str, str] = {}
        self.stretches: list[tuple[datetime, datetime]] = []
        self.deleted: list[str] = []
        self.heard: list[StoredMessage] = []
        self._numbers = 0

    async def account(self, person_key: str) -> Account:
        user_id = self.links.get(person_key, person_key)
        erasing = any(owed.user_id == user_id for owed in self.owing.values())
        return Account(user_id, user_id in self.paused, self.paused.get(user_id, False), erasing)

    async def pause(self, user_id: str, paused: bool) -> None:
        if paused:
            self.paused.setdefault(user_id, False)
        else:
            self.paused.pop(user_id, None)

    async def tell_paused(self, user_id: str) -> bool:
        untold = self.paused.get(user_id) is False
        if untold:
            self.paused[user_id] = True
        return untold

    async def accounts(self, user_id: str) -> list[str]:
        return [key for key, to in self.links.items() if to == user_id]

    async def people(self, platform: str) -> list[str]:
        return sorted({key for link in self.links.items() for key in link if key.startswith(f"{platform}:")})

    async def unite(self, former: str, key: str) -> Joined | None:
        return None

    async def spelled(self, platform: str, workspace: str) -> list[str]:
        return []

    async def export(self, user_id: str, person_keys: Sequence[str]) -> dict[str, Any]:
        return {"linked_accounts": list(person_keys)[1:]}

    async def said(self, user_id: str, person_keys: Sequence[str]) -> list[StoredMessage]:
        return self.heard

    async def forget_since(self, user_id: str, person_keys: Sequence[str], start: datetime, end: datetime) -> int:
        self.stretches.append((start, end))
        return 2

    async def known(self, message_ids: Sequence[str]) -> bool:
        return True

    async def withdraw(self, message_ids: Sequence[str]) -> bool:
        return True

    async def keep_ahead(self, event: MessageEvent) -> bool:
        return False

    async def forget_messages(self, message_ids: Sequence[str]) -> int:
        self.deleted += message_ids
        return len(message_ids)

    async def forget_workspace(self, platform: str, workspace: str) -> int:
        return 0

    async def compare(self, event: MessageEvent) -> Edit:
        return Edit.UNKNOWN

    async def edited(self, wanted: Sequence[Edited]) -> None:
        """Nothing is kept here that could follow."""

    async def release(self, event_ids: Sequence[str]) -> None:
        """Nothing is held here."""

    async def taught(self, event_ids: Sequence[str]) -> dict[str, str]:
        return {}

    async def learners(self) -> list[str]:
        return []

    async def owe(self, wanted: Sequence[Erasure], delay: float | None = None) -> list[Erasure]:
        owed = []
        for each in wanted:
            self._numbers += 1
            json.dumps(each.what)  # as the database takes it
            owed.append(replace(each, id=self._numbers))
            self.owing[self._numbers] = owed[-1]
        return owed

    async def owed(self) -> list[Erasure]:
        return list(self.owing.values())

    async def settle(self, erasure_id: int) -> None:
        del self.owing[erasure_id]

    async def put_off(self, erasure_id: int) -> None:
        """It stays owed."""

    async def owe_once(self, wanted: Erasure, delay: float) -> bool:
        if any((owed.kind, owed.what) == (wanted.kind, wanted.what) for owed in self.owing.values()):
            return False
        await self.owe([wanted], delay)
        return True

    async def excuse(self, wanted: Erasure) -> int:
        same = [number for number, owed in self.owing.items() if (owed.kind, owed.what) == (wanted.kind, wanted.what)]
        for number in same:
            del self.owing[number]
        return len(same)

    async def offer_code(self, person_key: str, digest: str, name: str = "") -> None:
        self.codes[digest] = person_key

    async def look_up_code(self, person_key: str, digest: str) -> tuple[str, str] | None:
        return None

    async def redeem_code(self, person_key: str, digest: str) -> Joined | None:
        return None

    async def part(self, person_key: str) -> Joined | None:
        return None
