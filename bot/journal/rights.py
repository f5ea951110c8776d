"""The journal's part in people's rights: settings, forgetting, linked accounts, and what is still to be erased."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from bot.events import Edit, Edited, MessageEvent
from bot.journal import (
    accounts,
    edits,
    erasure,
    erasure_queue,
    export,
    find_messages,
    linking,
    settings,
    withdrawn,
)
from bot.journal.runner import Runner
from bot.model import Account, Erasure, Joined, StoredMessage


class JournalOfRights:
    """Methods of `SqlJournal`. Every one raises JournalUnavailable where the database fails."""

    _runner: Runner
    _clock: Callable[[], float]

    # Settings

    async def account(self, person_key: str) -> Account:
        """Whose memories an account has, and whether they may be used now: one read on the way of each message."""
        return await self._runner.read(settings.account, person_key)

    async def pause(self, user_id: str, paused: bool) -> None:
        """Switch a person's memory off or on."""
        await self._runner.write(settings.pause, user_id, paused, self._clock())

    async def tell_paused(self, user_id: str) -> bool:
        """Whether this answer is the one that says so: True once after each pausing, in whatever process."""
        return await self._runner.write(settings.tell_paused, user_id)

    async def export(self, user_id: str, person_keys: Sequence[str]) -> dict[str, Any]:
        """All that is kept here about a person, ready for JSON."""
        return await self._runner.read(export.export, user_id, person_keys)

    # Forgetting

    async def forget_raw(self, user_id: str, person_keys: Sequence[str]) -> int:
        """Erase a person's turns (and the answers to them), exchanges, open events and intents; return how many rows.

        Links, settings and codes go too. To be called before the memories are erased: a lesson in flight can't be
        committed any more after it.
        """
        return await self._runner.erase(erasure.forget_raw, user_id, person_keys, self._clock())

    async def forget_since(self, user_id: str, person_keys: Sequence[str], start: datetime, end: datetime) -> int:
        """Erase what a person said from `start` to before `end`, with its answers; return how many rows went."""
        span = start.timestamp(), end.timestamp()
        return await self._runner.erase(erasure.forget_since, user_id, person_keys, *span, self._clock())

    async def said(self, user_id: str, person_keys: Sequence[str]) -> list[StoredMessage]:
        """What of a person's messages is kept as it was said, each with its answer."""
        return await self._runner.read(find_messages.said, user_id, person_keys)

    async def forget_events(self, user_id: str, event_ids: Sequence[str], texts: Sequence[str] = ()) -> int:
        """Erase what is kept of these events of a person, and answers that may repeat it or `texts`; return how many
        rows went."""
        return await self._runner.erase(erasure.forget_events, user_id, event_ids, texts, self._clock())

    async def known(self, message_ids: Sequence[str]) -> bool:
        """Whether anything may be kept here of any of these messages."""
        return await self._runner.read(erasure.known, message_ids)

    async def withdraw(self, message_ids: Sequence[str]) -> bool:
        """Note that messages which aren't known were deleted; False where one of them became known meanwhile."""
        await self._runner.write(withdrawn.withdraw, message_ids, self._clock())
        return not await self.known(message_ids)

    async def keep_ahead(self, event: MessageEvent) -> bool:
        """Keep the text of an edit for the message itself, which is still to come; False where nothing is kept."""
        return await self._runner.write(withdrawn.keep_ahead, event, self._clock())

    async def forget_messages(self, message_ids: Sequence[str]) -> int:
        """Erase what is kept of messages deleted on the platform, whoever wrote them; return how many rows went.

        Of the bot's own messages, the answer's turn goes.
        """
        return await self._runner.erase(erasure.forget_messages, message_ids, self._clock())

    async def forget_workspace(self, platform: str, workspace: str) -> int:
        """Erase what belongs to a workspace alone; return how many rows went. Raises ValueError without an id."""
        return await self._runner.erase(erasure.forget_workspace, platform, workspace, self._clock())

    async def compare(self, event: MessageEvent) -> Edit:
        """What an edit on the platform is to us."""
        return await self._runner.read(edits.compare, event)

    async def edited(self, wanted: Sequence[Edited]) -> None:
        """Let the kept texts follow edits, each of another message; what is to be learned is held until `release`."""
        await self._runner.erase(edits.edited, wanted, self._clock())

    async def release(self, event_ids: Sequence[str]) -> None:
        """What these events taught before is forgotten: their new texts may be learned."""
        await self._runner.write(edits.release, list(event_ids))

    async def taught(self, event_ids: Sequence[str]) -> dict[str, str]:
        """Whom events taught something, where it was noted (hosted mem0 can't tell)."""
        return await self._runner.read(erasure.taught_whom, event_ids)

    async def learners(self) -> list[str]:
        """Everybody for whom it was noted that an event taught them something."""
        return await self._runner.read(erasure.learners)

    # What is still to be erased in the memory store

    async def owe(self, wanted: Sequence[Erasure], delay: float | None = None) -> list[Erasure]:
        """Write erasures down before they are tried; they are due in `delay` seconds (one minute)."""
        wait = erasure_queue.LEASE if delay is None else delay
        return await self._runner.write(erasure_queue.owe, wanted, self._clock(), wait)

    async def owe_once(self, wanted: Erasure, delay: float) -> bool:
        """Write an erasure down that is due in `delay` seconds; False where the same is owed already."""
        return await self._runner.write(erasure_queue.owe_once, wanted, self._clock(), delay)

    async def owed(self) -> list[Erasure]:
        """Take up the erasures that are due, oldest first."""
        return await self._runner.write(erasure_queue.due, self._clock())

    async def settle(self, erasure_id: int) -> None:
        """An erasure is done."""
        await self._runner.write(erasure_queue.settle, erasure_id)

    async def put_off(self, erasure_id: int) -> None:
        """An erasure failed: it is due again later."""
        await self._runner.write(erasure_queue.put_off, erasure_id, self._clock())

    async def excuse(self, wanted: Erasure) -> int:
        """Let an erasure that is not yet due be; return how many there were."""
        return await self._runner.write(erasure_queue.excuse, wanted)

    # Linked accounts, and one account's former keys

    async def people(self, platform: str) -> list[str]:
        """The keys of a platform's accounts, and its mem0 user ids, of which anything is kept here."""
        return await self._runner.read(accounts.known, platform)

    async def unite(self, former: str, key: str) -> Joined | None:
        """Join a former key of an account to its own; None where they have the same memories already."""
        return await self._runner.write(linking.unite, former, key, self._clock())

    async def spelled(self, platform: str, workspace: str) -> list[str]:
        """The former keys of a workspace's accounts that were joined to their own."""
        return await self._runner.read(accounts.spelled, platform, workspace)

    async def accounts(self, user_id: str) -> list[str]:
        """The accounts linked to a mem0 user id."""
        return await self._runner.read(accounts.accounts, user_id)

    async def offer_code(self, person_key: str, digest: str, name: str = "") -> None:
        """Keep the digest of a code that joins another account to this one, for ten minutes and one use."""
        await self._runner.write(linking.offer, person_key, digest, name, self._clock())

    async def look_up_code(self, person_key: str, digest: str) -> tuple[str, str] | None:
        """The account that showed the code, and how its person is called; None as for `redeem_code`.

        Raises TooManyCodes as that does.
        """
        return await self._runner.write(linking.look_up, person_key, digest, self._clock())

    async def redeem_code(self, person_key: str, digest: str) -> Joined | None:
        """Join the account to the one that showed the code; None where there is no such code (any more).

        Raises TooManyCodes where this account has entered too many wrong ones.
        """
        return await self._runner.write(linking.redeem, person_key, digest, self._clock())

    async def part(self, person_key: str) -> Joined | None:
        """Part an account from those it is linked with; None where it isn't."""
        return await self._runner.write(linking.part, person_key, self._clock())
