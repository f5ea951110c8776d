"""The journal's roles in memory, for tests of what stands on them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.erasures import Erasure, Joined
from bot.events import Edit, Edited, MessageEvent
from bot.model import Account, Exchange, Nearby, Place, Replied, StoredMessage, Turn


class StubTurns:
    """Turns by conversation."""

    def __init__(self) -> None:
        self.of: dict[str, list[Turn]] = defaultdict(list)
        self.texts_of: set[str] = set()

    async def recent(self, conversation: str) -> list[Turn]:
        return list(self.of[conversation])

    async def replied(self, event: MessageEvent) -> Replied | None:
        return None

    async def unused(self, event: MessageEvent, nearby: Sequence[Nearby]) -> set[str]:
        return self.texts_of & {message.id for message in nearby}

    async def drop(self, conversation: str) -> int:
        return len(self.of.pop(conversation, []))


class StubOutbox:
    """Exchanges that are kept to be learned."""

    def __init__(self) -> None:
        self.kept: list[Exchange] = []
        self.failures: list[tuple[list[int], str, bool]] = []
        self.set_aside: set[int] = set()
        self.postponed: list[tuple[list[int], float]] = []

    async def waiting(self) -> list[tuple[str, str]]:
        return list({(exchange.user_id, exchange.scope): None for exchange in self.kept})

    async def claim(self, user_id: str, scope: str) -> list[Exchange]:
        theirs = [exchange for exchange in self.kept if (exchange.user_id, exchange.scope) == (user_id, scope)]
        return [exchange for exchange in theirs if exchange.id not in self.set_aside]

    async def learned(self, ids: Sequence[int]) -> None:
        self.kept = [exchange for exchange in self.kept if exchange.id not in ids]

    async def failed(self, ids: Sequence[int], reason: str, *, final: bool) -> None:
        self.failures.append((list(ids), reason, final))
        if final:
            self.set_aside.update(ids)

    async def postpone(self, ids: Sequence[int], seconds: float) -> int:
        self.postponed.append((list(ids), seconds))
        return 0


class StubInbox:
    """Remembers which events it was shown, and what became of them."""

    def __init__(self, turns: StubTurns, outbox: StubOutbox) -> None:
        self.seen: set[str] = set()
        self.log: list[str] = []
        self.postponed: list[tuple[str, float]] = []
        self.read: tuple[str, ...] = ()
        #: The events whose answers told their people that they are remembered.
        self.introduced: list[str] = []
        #: The events of which nothing is to be learned.
        self.off_record: list[str] = []
        #: What events read like since they were edited.
        self.changed: dict[str, MessageEvent] = {}
        #: Whether events are gone once their answer is there.
        self.gone = False
        self._turns = turns
        self._outbox = outbox

    async def admit(self, event: MessageEvent) -> str | None:
        if event.id in self.seen:
            return None
        self.seen.add(event.id)
        return event.place.key

    async def answered(
        self,
        event: MessageEvent,
        user_id: str,
        conversation: str,
        answer: str,
        message_ids: Sequence[str],
        *,
        learn: bool,
        keep: bool = True,
        read: Sequence[str] = (),
        introduced: bool = False,
        quotes: bool = False,
        off_record: bool = False,
    ) -> bool:
        self.log.append("answered")
        self.introduced += [event.id] if introduced else []
        if not keep or self.gone:
            return not self.gone
        self.read = tuple(read)
        answer = "" if read else answer
        turns, kept = self._turns.of[conversation], self._outbox.kept
        turns.append(Turn("user", event.name, event.text, event.at, event.person.key))
        turns.append(Turn("assistant", "", answer, event.at))
        self.off_record += [event.id] if off_record else []
        if learn and not off_record:
            scope = event.place.scope
            row = (len(kept) + 1, event.id, user_id, scope, event.name, event.text, "" if quotes else answer, event.at)
            kept.append(Exchange(*row, event.link, event.place.name, conversation))
        return True

    def joined(self, event_id: str) -> str | None:
        return None

    async def release(self, event_id: str) -> bool:
        return True

    async def dismiss(self, event_id: str, *, together: bool = False) -> bool:
        self.log.append(f"dismissed {event_id}")
        return True

    async def confirm(self, event_id: str) -> None:
        return None

    async def reread(self, event: MessageEvent, *, joining: bool = True) -> MessageEvent | None:
        return self.changed.get(event.id, event)

    async def abandon_claim(self, event_id: str) -> None:
        self.log.append(f"abandoned {event_id}")

    async def postpone(self, event_id: str, seconds: float) -> None:
        self.postponed.append((event_id, seconds))

    async def unanswered(self, platforms: Collection[str]) -> list[tuple[MessageEvent, str, int]]:
        return []


class StubTaught:
    """Nobody was ever taught."""

    async def accounts_of(self, event_ids: Sequence[str]) -> dict[str, str]:
        return {}

    async def everyone(self) -> list[str]:
        return []

    async def release(self, event_ids: Sequence[str]) -> None:
        """Nothing is held here."""


class StubPauses:
    """`paused`: user id, and whether an answer has said so."""

    def __init__(self) -> None:
        self.paused: dict[str, bool] = {}

    async def set(self, user_id: str, paused: bool) -> None:
        if paused:
            self.paused.setdefault(user_id, False)
        else:
            self.paused.pop(user_id, None)

    async def announce(self, user_id: str) -> bool:
        unannounced = self.paused.get(user_id) is False
        if unannounced:
            self.paused[user_id] = True
        return unannounced


class StubOffRecord:
    """`kept`: people, and the channels that they keep off the record."""

    def __init__(self) -> None:
        self.kept: set[tuple[str, str]] = set()

    async def begin(self, person_key: str, place: Place) -> None:
        self.kept.add((person_key, place.channel_key))

    async def end(self, person_key: str, place: Place) -> None:
        self.kept.discard((person_key, place.channel_key))


class StubErasures:
    """Queued erasures, by their ids."""

    def __init__(self) -> None:
        self.queued: dict[int, Erasure] = {}
        self._numbers = 0

    async def add(self, wanted: Sequence[Erasure], delay: float | None = None) -> list[Erasure]:
        added = []
        for erasure in wanted:
            self._numbers += 1
            added.append(replace(erasure, id=self._numbers))
            self.queued[self._numbers] = added[-1]
        return added

    async def add_once(self, erasure: Erasure, delay: float) -> bool:
        if any(queued.what == erasure.what for queued in self.queued.values()):
            return False
        await self.add([erasure], delay)
        return True

    async def due(self) -> list[Erasure]:
        return list(self.queued.values())

    async def done(self, erasure_id: int) -> None:
        del self.queued[erasure_id]

    async def retry_later(self, erasure_id: int) -> float:
        return 30.0  # it stays queued

    async def cancel(self, erasure: Erasure) -> int:
        same = [number for number, queued in self.queued.items() if queued.what == erasure.what]
        for number in same:
            del self.queued[number]
        return len(same)


class StubPreferences:
    """`unnoticed` are those who want no line below answers."""

    def __init__(self) -> None:
        self.unnoticed: set[str] = set()

    async def noticed(self, user_id: str) -> bool:
        return user_id not in self.unnoticed

    async def set_noticed(self, user_id: str, wanted: bool) -> None:
        (self.unnoticed.discard if wanted else self.unnoticed.add)(user_id)


class StubAccounts:
    """`links`: account, and the mem0 user whose memories it has."""

    def __init__(self, pauses: StubPauses, erasures: StubErasures, off_record: StubOffRecord | None = None) -> None:
        self.links: dict[str, str] = {}
        self._off_record = off_record or StubOffRecord()
        self._pauses = pauses
        self._erasures = erasures

    async def user_id(self, person_key: str) -> str:
        return self.links.get(person_key, person_key)

    async def account(self, person_key: str, place: Place | None = None) -> Account:
        user_id = self.links.get(person_key, person_key)
        paused = self._pauses.paused
        erasing = any(erasure.user_id == user_id for erasure in self._erasures.queued.values())
        kept = place is not None and (person_key, place.channel_key) in self._off_record.kept
        return Account(user_id, user_id in paused, paused.get(user_id, False), erasing, off_record=kept)

    async def linked_to(self, user_id: str) -> list[str]:
        return [key for key, to in self.links.items() if to == user_id]

    async def people(self, platform: str) -> list[str]:
        return sorted({key for link in self.links.items() for key in link if key.startswith(f"{platform}:")})

    async def unite(self, former: str, key: str) -> Joined | None:
        return None

    async def unlink(self, person_key: str) -> Joined | None:
        return None

    async def former_keys(self, platform: str, workspace: str) -> list[str]:
        return []


class StubIntents:
    """Intents by their tokens."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, str, list[str]]] = {}

    async def keep(self, person_key: str, action: str, ids: Sequence[str], now: datetime) -> str:
        token = f"t{len(self.kept)}"
        self.kept[token] = (person_key, action, list(ids))
        return token

    async def look(self, token: str, person_key: str, now: datetime) -> tuple[str, list[str]] | None:
        owner, action, ids = self.kept.get(token, ("", "", []))
        return (action, ids) if owner == person_key else None

    async def take(self, token: str, person_key: str, now: datetime) -> tuple[str, list[str]] | None:
        owner, action, ids = self.kept.get(token, ("", "", []))
        if owner != person_key:
            return None
        del self.kept[token]
        return action, ids


class StubCodes:
    """Codes that nobody can use."""

    def __init__(self) -> None:
        self.offered: dict[str, str] = {}

    async def offer(self, person_key: str, digest: str, name: str = "") -> None:
        self.offered[digest] = person_key

    async def look_up(self, person_key: str, digest: str) -> tuple[str, str] | None:
        return None

    async def redeem(self, person_key: str, digest: str) -> Joined | None:
        return None


class StubTexts:
    """`stored` is what is found; `forgotten` are the events and accounts to be forgotten, `ranges` the times."""

    def __init__(self, outbox: StubOutbox) -> None:
        self.stored: list[StoredMessage] = []
        self.forgotten: list[str] = []
        self.ranges: list[tuple[datetime, datetime]] = []
        self._outbox = outbox

    async def export(self, user_id: str, person_keys: Sequence[str]) -> dict[str, Any]:
        return {"linked_accounts": list(person_keys)[1:]}

    async def stored_messages(self, user_id: str, person_keys: Sequence[str]) -> list[StoredMessage]:
        return self.stored

    async def forget_events(self, user_id: str, event_ids: Sequence[str], texts: Sequence[str] = ()) -> int:
        self.forgotten += event_ids
        return len(event_ids)

    async def forget_since(self, user_id: str, person_keys: Sequence[str], start: datetime, end: datetime) -> int:
        self.ranges.append((start, end))
        return 2

    async def forget_person(self, user_id: str, person_keys: Sequence[str]) -> int:
        self.forgotten += person_keys
        self._outbox.kept = [exchange for exchange in self._outbox.kept if exchange.user_id != user_id]
        return 0

    async def forget_workspace(self, platform: str, workspace: str) -> int:
        return 0


class StubMessageChanges:
    """`deleted` are the messages of whose deletion it was told."""

    def __init__(self) -> None:
        self.deleted: list[str] = []

    async def compare(self, event: MessageEvent) -> Edit:
        return Edit.UNKNOWN

    async def keep_ahead(self, event: MessageEvent) -> bool:
        return False

    async def edit(self, wanted: Sequence[Edited]) -> None:
        """Nothing is stored here that could follow."""

    async def any_stored(self, message_ids: Sequence[str]) -> bool:
        return True

    async def withdraw(self, message_ids: Sequence[str]) -> bool:
        return True

    async def forget(self, message_ids: Sequence[str]) -> int:
        self.deleted += message_ids
        return len(message_ids)


class StubJournal:
    """A journal that forgets with the process."""

    def __init__(self, *, turns: StubTurns | None = None) -> None:
        self.turns = turns or StubTurns()
        self.outbox = StubOutbox()
        self.inbox = StubInbox(self.turns, self.outbox)
        self.taught = StubTaught()
        self.pauses = StubPauses()
        self.preferences = StubPreferences()
        self.erasures = StubErasures()
        self.off_record = StubOffRecord()
        self.accounts = StubAccounts(self.pauses, self.erasures, self.off_record)
        self.intents = StubIntents()
        self.codes = StubCodes()
        self.texts = StubTexts(self.outbox)
        self.changes = StubMessageChanges()
