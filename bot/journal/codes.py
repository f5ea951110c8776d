"""Codes that link accounts: stored as digests, valid for ten minutes and one use."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from bot.erasures import Joined
from bot.journal import accounts, links
from bot.journal.columns import storable
from bot.journal.runner import Runner
from bot.journal.tables import codes, guesses
from bot.ports import TooManyCodes

#: How long a code is valid, in seconds, and how often it may be entered by accounts that can't use it.
CODE_TTL = 600.0
CODE_TRIES = 5
#: Wrong codes that one account may enter within CODE_TTL.
GUESSES = 5


class SqlCodes:
    """`bot.ports.Codes`."""

    def __init__(self, runner: Runner, clock: Callable[[], float]) -> None:
        self._runner = runner
        self._clock = clock

    async def offer(self, person_key: str, digest: str, name: str = "") -> None:
        """Store the digest of a code that links another account to this one, for ten minutes and one use."""
        await self._runner.write(offer, person_key, digest, name, self._clock())

    async def look_up(self, person_key: str, digest: str) -> tuple[str, str] | None:
        """The account that showed a code, and what its person is called; None as for `redeem`.

        Raises TooManyCodes as that does.
        """
        return await self._runner.write(look_up, person_key, digest, self._clock())

    async def redeem(self, person_key: str, digest: str) -> Joined | None:
        """Link the account to the one that showed the code; None if there is no such code (any more).

        Raises TooManyCodes if this account has entered too many wrong ones.
        """
        return await self._runner.write(redeem, person_key, digest, self._clock())


def offer(conn: sa.Connection, person_key: str, digest: str, name: str, now: float) -> None:
    """Store a code's digest for an account, and what its person is called, in place of any earlier one."""
    conn.execute(sa.delete(codes).where(sa.or_(codes.c.person_key == person_key, codes.c.at < now - CODE_TTL)))
    conn.execute(sa.insert(codes), {"digest": digest, "person_key": person_key, "name": storable(name), "at": now})


def look_up(conn: sa.Connection, person_key: str, digest: str, now: float) -> tuple[str, str] | None:
    """The account that a code was shown to and what its person is called; None as for `redeem`, as which it counts.

    Raises TooManyCodes as that does.
    """
    found = _valid(conn, person_key, digest, now)
    return None if found is None else (found.person_key, found.name)


def redeem(conn: sa.Connection, person_key: str, digest: str, now: float) -> Joined | None:
    """Link the account to the one that a code was shown to; None if the code is unknown, used, expired, or its own.

    Raises TooManyCodes if the account has entered too many wrong ones, whatever this one is.
    """
    found = _valid(conn, person_key, digest, now)
    if found is None or not conn.execute(sa.delete(codes).where(codes.c.digest == digest)).rowcount:
        return None  # in the second case it was just used elsewhere
    conn.execute(sa.delete(guesses).where(guesses.c.person_key == person_key))
    return accounts.join(conn, links.user_id(conn, person_key), links.user_id(conn, found.person_key), now)


def _valid(conn: sa.Connection, person_key: str, digest: str, now: float) -> Any:
    """The row of a code that this account may use; None if there is none, which counts as a wrong one."""
    conn.execute(sa.delete(guesses).where(guesses.c.at < now - CODE_TTL))
    mine = sa.select(sa.func.count()).select_from(guesses).where(guesses.c.person_key == person_key)
    if conn.execute(mine).scalar_one() >= GUESSES:
        raise TooManyCodes
    valid = sa.and_(codes.c.digest == digest, codes.c.at >= now - CODE_TTL, codes.c.tries < CODE_TRIES)
    found = conn.execute(sa.select(codes.c.person_key, codes.c.name).where(valid)).first()
    if found is not None and links.user_id(conn, found.person_key) != links.user_id(conn, person_key):
        return found
    conn.execute(sa.update(codes).where(codes.c.digest == digest).values(tries=codes.c.tries + 1))
    conn.execute(sa.insert(guesses), {"person_key": person_key, "at": now})
    return None
