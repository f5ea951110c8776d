"""`python -m bot export PERSON` and `erase PERSON`: the operator's counterparts of /memories and /forget."""

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from bot.core.identity import Identities
from bot.model import Person
from bot.ports import JournalUnavailable, MemoryUnavailable
from bot.privacy.eraser import Outcome
from bot.privacy.rights import Rights

#: Exit codes besides 0: not done yet (or declined); nothing is kept about that person.
INCOMPLETE = 1
NOTHING_KEPT = 3

#: Asks a question; returns whether the answer is yes.
Confirm = Callable[[str], bool]


def confirm_on(terminal: TextIO) -> Confirm | None:
    """Ask on a terminal; None if standard input isn't one, since nobody could answer."""
    if not terminal.isatty():
        return None

    def confirm(question: str) -> bool:
        print(question, end=" ", file=sys.stderr, flush=True)  # noqa: T201 - a question to the operator
        return terminal.readline().strip().lower() in ("y", "yes")

    return confirm


class PersonCommands:
    """What an operator may do with everything that is kept about one person. Each returns the exit code."""

    def __init__(self, identities: Identities, rights: Rights) -> None:
        self._identities = identities
        self._rights = rights

    async def export(self, person: Person) -> int:
        """Print everything as JSON. Raises BrokenPipeError if the output isn't read to the end."""
        try:
            users = await self._identities.named(person)
            kept = _together([await self._rights.export(user_id) for user_id in users])
            accounts = await self._accounts(users)
        except (JournalUnavailable, MemoryUnavailable) as exc:
            return _failed(exc)
        print(json.dumps(kept, ensure_ascii=False, indent=2), flush=True)  # noqa: T201 - what was asked for
        if not any(value for value in kept.values() if isinstance(value, list)):
            _note(f"note: nothing is kept about {accounts}")
        return 0

    async def erase(self, person: Person, confirm: Confirm | None) -> int:
        """Erase everything; with `confirm`, only if the operator agrees."""
        try:
            users = await self._identities.named(person)
            accounts = await self._accounts(users)
            if confirm is not None:
                memories = _memories(sum([len((await self._rights.export(user_id))["memories"]) for user_id in users]))
                if not confirm(f"Erase everything that is kept about {accounts} ({memories}) for good? [y/N]"):
                    _note("nothing was erased")
                    return INCOMPLETE
            outcome = _sum([await self._rights.forget_everything(user_id) for user_id in users])
        except (JournalUnavailable, MemoryUnavailable) as exc:
            return _failed(exc)
        if outcome.memories is None:
            _note("error: the memories can't be erased now; the bot retries until they are")
            return INCOMPLETE
        if not (outcome.memories or outcome.entries):
            _note(f"note: nothing is kept about {accounts}")
            return NOTHING_KEPT
        erased = f"{_memories(outcome.memories)} and {outcome.entries} entries of conversations"
        print(f"erased: {erased} of {accounts}")  # noqa: T201 - the command's answer
        return 0

    async def _accounts(self, users: Sequence[str]) -> str:
        return ", ".join([key for user_id in users for key in await self._identities.everybody(user_id)])


def _together(exports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One person's exports under several keys as one: the lists are concatenated, the rest is the first's."""
    first, *others = exports
    return {
        name: [*value, *(item for other in others for item in other[name])] if isinstance(value, list) else value
        for name, value in first.items()
    }


def _sum(outcomes: Sequence[Outcome]) -> Outcome:
    memories = [outcome.memories for outcome in outcomes]
    failed = None in memories
    return Outcome(None if failed else sum(filter(None, memories)), sum(outcome.entries for outcome in outcomes))


def _memories(count: int) -> str:
    return "1 memory" if count == 1 else f"{count} memories"


def _failed(exc: Exception) -> int:
    _note(f"error: nothing was done, the database or the memory fails: {exc}")
    return INCOMPLETE


def _note(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - the command's answer, beside what it prints
