"""What is to be erased, or moved, of what is stored about people: one class per kind, holding ids and never text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ForgetTexts:
    """Everything that the journal keeps about a person: turns, exchanges, links and settings."""

    user_id: str
    accounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ForgetAll:
    """All memories of these mem0 users."""

    users: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ForgetMemories:
    """Some memories, under each account that was linked at the time: they may have been unlinked since."""

    users: tuple[str, ...]
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ForgetSources:
    """Whatever these events taught, about that mem0 user or (None) anybody."""

    events: tuple[str, ...]
    user_id: str | None


@dataclass(frozen=True, slots=True)
class MoveMemories:
    """Memories of one mem0 user that move to another: all, or what these accounts taught."""

    former: str
    to: str
    accounts: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ForgetWorkspace:
    """What belongs to one workspace alone."""

    platform: str
    workspace: str


@dataclass(frozen=True, slots=True)
class ForgetAccount:
    """An account, which is unlinked first, and everything about it."""

    account: str


What = ForgetTexts | ForgetAll | ForgetMemories | ForgetSources | MoveMemories | ForgetWorkspace | ForgetAccount


@dataclass(frozen=True, slots=True)
class Erasure:
    """Something to be erased. `id` is set once it is recorded.

    `user_id` is set if that person's memories may not be recalled until it is done.
    """

    what: What
    user_id: str = ""
    id: int = 0

    @property
    def kind(self) -> str:
        """The kind, for logs."""
        return type(self.what).__name__


@dataclass(frozen=True, slots=True)
class Joined:
    """Accounts that were linked or unlinked: `moving` moves their memories from `former` to `user_id`."""

    user_id: str
    former: str
    moving: Erasure
