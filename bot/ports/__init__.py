"""What the core needs from the outside, as protocols named by role. Implementations are bound in `bot.app`."""

from bot.ports.chat import CUT, Chat
from bot.ports.errors import (
    ChatEmpty,
    ChatError,
    ChatMisconfigured,
    ChatOverloaded,
    ChatRefused,
    ChatTooLong,
    ChatUnpaid,
    ClaimLost,
    JournalUnavailable,
    LearningFailed,
    MemoryUnavailable,
    PlatformRefused,
    Superseded,
    TooManyCodes,
)
from bot.ports.journal import Accounts, Codes, Erasures, Inbox, Intents, Journal, Outbox, RawText
from bot.ports.memory import MemoryStore, Notify
from bot.ports.platform import Adapter, Changes, Core, History, Interactions, Messages, Platform, ReplyHandle

__all__ = [
    "CUT",
    "Accounts",
    "Adapter",
    "Changes",
    "Chat",
    "ChatEmpty",
    "ChatError",
    "ChatMisconfigured",
    "ChatOverloaded",
    "ChatRefused",
    "ChatTooLong",
    "ChatUnpaid",
    "ClaimLost",
    "Codes",
    "Core",
    "Erasures",
    "History",
    "Inbox",
    "Intents",
    "Interactions",
    "Journal",
    "JournalUnavailable",
    "LearningFailed",
    "MemoryStore",
    "MemoryUnavailable",
    "Messages",
    "Notify",
    "Outbox",
    "Platform",
    "PlatformRefused",
    "RawText",
    "ReplyHandle",
    "Superseded",
    "TooManyCodes",
]
