"""Applies the platforms' changes to what is kept: deleted and edited messages, removals of the bot."""

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from bot.aio.batches import Batches
from bot.aio.rate_limit import WINDOW, Allowance
from bot.core.identity import Identities
from bot.core.in_progress import InProgress
from bot.core.retries import retry_until_journal_is_back
from bot.core.served import Served
from bot.erasures import Erasure, ForgetAccount, ForgetSources, ForgetWorkspace
from bot.events import Edit, Edited, MessageEvent
from bot.logs import describe
from bot.model import Person
from bot.ports import Accounts, ErasureQueue, MemoryStore, MessageChanges, Taught
from bot.privacy.eraser import Eraser

log = logging.getLogger(__name__)

#: Deletions, or edits, per batch: they come in bursts, and must not hold others up.
TOGETHER = 25


class PlatformChanges:
    """`bot.ports.Changes`: no method raises."""

    def __init__(
        self,
        changes: MessageChanges,
        taught: Taught,
        accounts: Accounts,
        queue: ErasureQueue,
        memory: MemoryStore,
        identities: Identities,
        eraser: Eraser,
        *,
        remember: bool = True,
        grace: float = 72 * 3600.0,
        edits_per_minute: int = 0,
        served: Served | None = None,
        in_progress: InProgress | None = None,
    ) -> None:
        """Without `remember` nothing is learned. `grace` is how many seconds a removed workspace's data is kept.

        Beyond a person's `edits_per_minute` (0: no limit), new texts are learned a minute later.
        """
        self._changes = changes
        self._taught = taught
        self._accounts = accounts
        self._queue = queue
        self._memory = memory
        self._identities = identities
        self._eraser = eraser
        self._remember = remember
        self._grace = grace
        self._served = served or Served()
        self._in_progress = in_progress or InProgress()
        self._allowance = Allowance(edits_per_minute)
        self._deletions: Batches[tuple[str, ...]] = Batches(self._delete_all, TOGETHER)
        self._edits: Batches[MessageEvent] = Batches(self._edit_all, TOGETHER)

    async def on_deleted(self, event_ids: Sequence[str]) -> None:
        """Messages were deleted (the bot's own too): forget what only they taught, and the turns that quote them."""
        try:
            await self._deletions.add(tuple(event_ids))
        except Exception as exc:  # noqa: BLE001 - the boundary of one event: logged, as nobody waits for an answer
            log.error("%d deleted messages could not be forgotten: %s", len(event_ids), describe(exc))

    async def _delete_all(self, batch: list[tuple[str, ...]]) -> None:
        ids = list(dict.fromkeys(event_id for event_ids in batch for event_id in event_ids))
        for start in range(0, len(ids), TOGETHER):
            await retry_until_journal_is_back(partial(self._delete, ids[start : start + TOGETHER]))

    async def _delete(self, ids: list[str]) -> None:
        whom = await self._taught.accounts_of(ids)
        erasures = await self._of_those_taught(whom)
        if others := [event_id for event_id in ids if event_id not in whom]:
            erasures.append(Erasure(ForgetSources(tuple(others), None)))
        if await self._changes.any_stored(ids) or not await self._changes.withdraw(ids):
            erasures = await self._queue.add(erasures)
            await self._changes.forget(ids)
            # A lesson that ended between these two steps has recorded whom it taught; any other is void by now.
            late = await self._of_those_taught(await self._taught.accounts_of(others))
            erasures += await self._queue.add(late)
            await self._in_progress.deleted(ids)
        for erasure in erasures:
            await self._eraser.attempt(erasure)

    async def _of_those_taught(self, whom: Mapping[str, str]) -> list[Erasure]:
        return [
            Erasure(ForgetSources((event_id,), account), await self._accounts.user_id(account))
            for event_id, account in whom.items()
        ]

    async def on_edited(self, event: MessageEvent) -> None:
        """A message was edited: if its text changed, forget what only it taught, and learn the new text.

        The new text of one that isn't served is neither kept nor learned.
        """
        if not self._served.covers(event):
            await self.on_deleted([event.id])
            return
        try:
            await self._edits.add(event)
        except Exception as exc:  # noqa: BLE001 - the boundary of one event: logged, as nobody waits for an answer
            log.error("%s: its edit could not be applied: %s", event.id, describe(exc))

    async def _edit_all(self, events: list[MessageEvent]) -> None:
        # If a message was edited more than once, its last text counts.
        await retry_until_journal_is_back(partial(self._edit, {event.id: event for event in events}.values()))

    async def _edit(self, events: Collection[MessageEvent]) -> None:
        unanswered: list[Edited] = []
        changed: list[Edited] = []
        for event in events:
            edit = await self._compare(event)
            if edit in (Edit.OPEN, Edit.CHANGED):
                (unanswered if edit is Edit.OPEN else changed).append(await self._edited(event))
        by_user: dict[tuple[str, bool], list[str]] = {}
        for edited in changed:
            soon = self._allowance.spend(edited.event.person.key, datetime.now(UTC))
            by_user.setdefault((edited.user_id, soon), []).append(edited.event.id)
        erasures = [Erasure(ForgetSources(tuple(ids), user), user) for (user, _), ids in by_user.items()]
        erasures = await self._queue.add(erasures) if erasures else []
        if unanswered or changed:
            await self._changes.edit([*unanswered, *changed])
        if unanswered:
            # They may have been answered since the check above: then the new text is to be learned.
            reopened = [edited.event.id for edited in unanswered]
            await self._taught.release(reopened)
            self._in_progress.edited(reopened)
        for erasure, ((user, soon), ids) in zip(erasures, by_user.items(), strict=True):
            await (self._eraser.attempt(erasure) if soon else self._learn_later(erasure, user, ids))
        if erasures:
            await self._eraser.wake_learner()

    async def _learn_later(self, erasure: Erasure, user_id: str, event_ids: Sequence[str]) -> None:
        """Forget now what the edited messages had taught; have their new texts learned in a minute."""
        try:
            await self._memory.forget_sources(event_ids, user_id)
            await self._queue.add([Erasure(erasure.what)], WINDOW)
            await self._queue.done(erasure.id)
        except Exception as exc:  # noqa: BLE001 - the boundary of one erasure, as in `Eraser.attempt`
            await self._eraser.retry_later(erasure, exc)

    async def _compare(self, event: MessageEvent) -> Edit:
        """What an edit means here; UNKNOWN and SAME if there is nothing to be done."""
        edit = await self._changes.compare(event)
        if edit is not Edit.UNKNOWN or await self._changes.keep_ahead(event):
            return edit
        edit = await self._changes.compare(event)  # it may have just been admitted
        if edit is not Edit.UNKNOWN:
            return edit
        # The journal may have nothing left of a message that taught something long ago.
        user_id = await self._identities.user_id(event.person)
        return Edit.CHANGED if await self._memory.forget_sources([event.id], user_id) else Edit.UNKNOWN

    async def _edited(self, event: MessageEvent) -> Edited:
        account = await self._identities.account(event.person)
        return Edited(event, account.user_id, self._remember and not account.paused)

    async def on_removed(self, platform: str, workspace: str, person: Person | None = None) -> None:
        """The bot was removed: erase what belongs to that workspace (or person) alone after the grace period."""
        removal = _removal(platform, workspace, person)
        if removal is None:
            return
        try:
            # Platforms report it more than once (Discord at each start): the grace period starts with the first report.
            if await retry_until_journal_is_back(lambda: self._queue.add_once(removal, self._grace)):
                log.info("%s: removed; what belonged there alone is erased in %.1f hours", platform, self._grace / 3600)
        except Exception as exc:  # noqa: BLE001 - the boundary of one event: logged, as nobody waits for an answer
            log.error("%s: a removal could not be recorded: %s", platform, describe(exc))

    async def on_returned(self, platform: str, workspace: str, person: Person | None = None) -> None:
        """The bot was added again: cancel that erasure."""
        removal = _removal(platform, workspace, person)
        if removal is None:
            return
        try:
            if await retry_until_journal_is_back(lambda: self._queue.cancel(removal)):
                log.info("%s: added again; its erasure is cancelled", platform)
        except Exception as exc:  # noqa: BLE001 - the boundary of one event: logged, as nobody waits for an answer
            log.error("%s: a return could not be recorded: %s", platform, describe(exc))


def _removal(platform: str, workspace: str, person: Person | None) -> Erasure | None:
    if person is not None:
        return Erasure(ForgetAccount(person.key))
    if not workspace:
        log.warning("%s: a removal without a workspace is ignored", platform)
        return None
    return Erasure(ForgetWorkspace(platform, workspace))
