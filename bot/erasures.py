"""What is to be erased from, or moved within, what is kept of people: one value per kind, of ids and never of text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ForgetTexts:
    """All that the journal keeps of a person: turns, exchanges, links and settings."""

    user_id: str
    accounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ForgetAll:
    """All memories of these mem0 users."""

    users: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ForgetMemories:
    """Some memories, under each of the accounts that were linked then: they may have been parted since."""

    users: tuple[str, ...]
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ForgetSources:
    """That these events taught anything, to that mem0 user or (None) to anybody."""

    events: tuple[str, ...]
    user_id: str | None


@dataclass(frozen=True, slots=True)
class MoveMemories:
    """A mem0 user's memories go to another: all, or what these accounts taught."""

    former: str
    to: str
    accounts: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ForgetWorkspace:
    """What belongs to a workspace alone."""

    platform: str
    workspace: str


@dataclass(frozen=True, slots=True)
class ForgetAccount:
    """An account, which is unlinked first, and everything of it."""

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
        """What kind it is, for logs."""
        return type(self.what).__name__


@dataclass(frozen=True, slots=True)
class Joined:
    """Accounts were linked or parted: their memories go from `former` to `user_id`, by `moving`."""

    user_id: str
    former: str
    moving: Erasure
