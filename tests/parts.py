"""The core's parts put together as `bot.app` does, over any journal and memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bot.commands import Commands
from bot.commands.forgetting import Forgetting
from bot.commands.linking import Linking
from bot.commands.offers import Offers
from bot.commands.private import Private
from bot.core.identity import Identities
from bot.core.in_progress import InProgress
from bot.core.learning import Learner
from bot.core.served import Served
from bot.loop import MemoryBot
from bot.ports import (
    Accounts,
    Chat,
    Codes,
    ErasureQueue,
    Inbox,
    Intents,
    MemoryStore,
    MessageChanges,
    OffRecord,
    Outbox,
    Pauses,
    Platform,
    Taught,
    Texts,
    Turns,
)
from bot.privacy.changes import PlatformChanges
from bot.privacy.eraser import Eraser
from bot.privacy.rights import Rights
from tests.stubs import StubNotices, StubSpending


class Journal(Protocol):
    """Every role that the core knows."""

    @property
    def inbox(self) -> Inbox: ...
    @property
    def turns(self) -> Turns: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def taught(self) -> Taught: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def pauses(self) -> Pauses: ...
    @property
    def off_record(self) -> OffRecord: ...
    @property
    def intents(self) -> Intents: ...
    @property
    def codes(self) -> Codes: ...
    @property
    def texts(self) -> Texts: ...
    @property
    def changes(self) -> MessageChanges: ...
    @property
    def erasures(self) -> ErasureQueue: ...


@dataclass(frozen=True, slots=True)
class Privacy:
    """What erases, what people may ask for, and what follows the platforms."""

    identities: Identities
    eraser: Eraser
    rights: Rights
    changes: PlatformChanges


def make_privacy(
    journal: Journal,
    memory: MemoryStore,
    identities: Identities | None = None,
    learner: Learner | None = None,
    *,
    grace: float = 72 * 3600.0,
    edits_per_minute: int = 0,
    texts: Texts | None = None,
    erasures: ErasureQueue | None = None,
    taught: Taught | None = None,
    changes: MessageChanges | None = None,
    served: Served | None = None,
    in_progress: InProgress | None = None,
) -> Privacy:
    """On a journal, of which these parts may be replaced. Without a `learner` nothing is learned."""
    identities = identities or Identities(journal.accounts)
    texts, erasures = texts or journal.texts, erasures or journal.erasures
    taught, changes = taught or journal.taught, changes or journal.changes
    accounts = journal.accounts
    eraser = Eraser(erasures, texts, taught, accounts, memory, learner)
    identities.follow(eraser.joined)
    return Privacy(
        identities,
        eraser,
        Rights(texts, erasures, memory, identities, eraser),
        PlatformChanges(
            *(changes, taught, accounts, erasures, memory, identities, eraser),
            remember=learner is not None,
            grace=grace,
            edits_per_minute=edits_per_minute,
            served=served,
            in_progress=in_progress,
        ),
    )


def make_commands(
    journal: Journal,
    memory: MemoryStore,
    privacy: Privacy | None = None,
    *,
    platforms: Sequence[Platform] = (),
    **options: Any,
) -> Commands:
    """The commands, with `options` of their own."""
    privacy = privacy or make_privacy(journal, memory)
    identities, rights = privacy.identities, privacy.rights
    forgetting = Forgetting(journal.intents, memory, identities, rights)
    linking = Linking(journal.codes, journal.intents, journal.accounts, identities, privacy.eraser, platforms)
    private = Private(journal.off_record, identities, remember=options.get("remember", True))
    return Commands(journal.pauses, memory, identities, rights, forgetting, linking, private, **options)


def make_bot(
    journal: Journal, memory: MemoryStore, chat: Chat, learner: Learner, identities: Identities, **options: Any
) -> MemoryBot:
    """The loop, with `options` of its own."""
    options.setdefault("off_record", journal.off_record)
    parts = journal.inbox, journal.turns, journal.pauses, identities
    spending, notices = options.pop("spending", StubSpending()), options.pop("notices", StubNotices())
    if "offers" not in options:
        rights = make_privacy(journal, memory).rights
        options["offers"] = Offers(Forgetting(journal.intents, memory, identities, rights))
    return MemoryBot(*parts, memory, chat, learner, spending, notices, **options)
