"""Joining accounts by a code, and parting them: the links, and what waits under the former mem0 user."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from bot.journal import accounts, erasure_queue, settings
from bot.journal.columns import storable
from bot.journal.tables import codes, exchanges, forgettings, guesses, inbox, intents, tombstones, turns
from bot.model import Erasure, Joined, one_person
from bot.ports import TooManyCodes

#: How long a code joins, in seconds, and how often it may be found by one who can't use it.
CODE_TTL = 600.0
CODE_TRIES = 5
#: Wrong codes that one account may enter within CODE_TTL.
GUESSES = 5


def offer(conn: sa.Connection, person_key: str, digest: str, name: str, now: float) -> None:
    """Keep a code's digest for an account, and how its person is called, in place of any earlier one."""
    conn.execute(sa.delete(codes).where(sa.or_(codes.c.person_key == person_key, codes.c.at < now - CODE_TTL)))
    conn.execute(sa.insert(codes), {"digest": digest, "person_key": person_key, "name": storable(name), "at": now})


def look_up(conn: sa.Connection, person_key: str, digest: str, now: float) -> tuple[str, str] | None:
    """The account that a code was shown to and how its person is called; None as for `redeem`, which it counts as.

    Raises TooManyCodes as that does.
    """
    found = _valid(conn, person_key, digest, now)
    return None if found is None else (found.person_key, found.name)


def redeem(conn: sa.Connection, person_key: str, digest: str, now: float) -> Joined | None:
    """Join the account to the one that a code was shown to; None where the code is unknown, used, expired, or its own.

    Raises TooManyCodes where the account has entered too many wrong ones, whatever this one is.
    """
    found = _valid(conn, person_key, digest, now)
    if found is None or not conn.execute(sa.delete(codes).where(codes.c.digest == digest)).rowcount:
        return None  # in the second case it was used elsewhere at this very moment
    conn.execute(sa.delete(guesses).where(guesses.c.person_key == person_key))
    return _join(conn, accounts.user_id(conn, person_key), accounts.user_id(conn, found.person_key), now)


def _valid(conn: sa.Connection, person_key: str, digest: str, now: float) -> Any:
    """The row of a code that this account may use; None where there is none, which counts as a wrong one."""
    conn.execute(sa.delete(guesses).where(guesses.c.at < now - CODE_TTL))
    mine = sa.select(sa.func.count()).select_from(guesses).where(guesses.c.person_key == person_key)
    if conn.execute(mine).scalar_one() >= GUESSES:
        raise TooManyCodes
    valid = sa.and_(codes.c.digest == digest, codes.c.at >= now - CODE_TTL, codes.c.tries < CODE_TRIES)
    found = conn.execute(sa.select(codes.c.person_key, codes.c.name).where(valid)).first()
    if found is not None and accounts.user_id(conn, found.person_key) != accounts.user_id(conn, person_key):
        return found
    conn.execute(sa.update(codes).where(codes.c.digest == digest).values(tries=codes.c.tries + 1))
    conn.execute(sa.insert(guesses), {"person_key": person_key, "at": now})
    return None


def _join(conn: sa.Connection, former: str, to: str, now: float) -> Joined:
    keys = [former, *accounts.accounts(conn, former)]
    for key in keys:
        accounts.link(conn, key, to, now)
    rehome(conn, former, to, keys, now)
    settings.move(conn, former, to, keep=False)
    (moving,) = erasure_queue.owe(conn, [Erasure("move", {"from": former, "to": to, "accounts": None})], now)
    return Joined(to, former, moving)


def unite(conn: sa.Connection, former_key: str, key: str, now: float) -> Joined | None:
    """Join a former key of an account to its own; None where they have the same memories already.

    What is kept here goes by the account's own key from now on.
    """
    if conn.dialect.name == "postgresql":  # two processes meet a person at once: the second finds it done
        conn.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(key))))
    former, to = accounts.user_id(conn, former_key), accounts.user_id(conn, key)
    joined = None if former == to else _join(conn, former, to, now)
    for table in (inbox, turns, exchanges, intents, codes, guesses, forgettings):
        conn.execute(sa.update(table).where(table.c.person_key == former_key).values(person_key=key))
    return joined


def part(conn: sa.Connection, person_key: str, now: float) -> Joined | None:
    """Part an account from those it is linked with; None where it isn't. The others stay together.

    Where the others share this account's mem0 user, they move to one of their own; `Joined.user_id` is where what
    moves goes.
    """
    user = accounts.user_id(conn, person_key)
    together = [user, *accounts.accounts(conn, user)]
    own = [key for key in together if one_person(key, person_key)]  # the account's former keys go with it
    others = [key for key in together if key not in own]
    if not others:
        return None
    to, moved = (others[0], others) if user in own else (person_key, own)
    for key in moved:
        accounts.unlink(conn, key)
        if key != to:
            accounts.link(conn, key, to, now)
    rehome(conn, user, to, moved, now)
    settings.move(conn, user, to, keep=True)
    (moving,) = erasure_queue.owe(conn, [Erasure("move", {"from": user, "to": to, "accounts": sorted(moved)})], now)
    return Joined(to, user, moving)


def rehome(conn: sa.Connection, former: str, to: str, keys: Sequence[str], now: float) -> None:
    """Let another mem0 user have what those accounts said and what waits to be learned of it.

    What waits is written anew under new ids: a lesson of the former user that is under way can't be committed.
    """
    # On PostgreSQL this waits for answers that are about to be committed, whose turns are then found; later ones wait.
    answered = sa.select(inbox.c.event_id).where(inbox.c.person_key.in_(list(keys))).order_by(inbox.c.event_id)
    conn.execute(answered.with_for_update())
    for table in (turns, exchanges):
        theirs = sa.and_(table.c.user_id == former, table.c.person_key.in_(list(keys)))
        conn.execute(sa.update(table).where(theirs).values(user_id=to))
    moved = sa.and_(exchanges.c.user_id == to, exchanges.c.person_key.in_(list(keys)))
    for row in conn.execute(sa.select(exchanges).where(moved).order_by(exchanges.c.id)).mappings().all():
        renew(conn, row, now)


def renew(conn: sa.Connection, row: sa.RowMapping, now: float, **changed: Any) -> None:
    """Give an exchange a new id; what an extraction under way makes of the old one is void."""
    conn.execute(sa.delete(exchanges).where(exchanges.c.id == row["id"]))
    conn.execute(sa.insert(tombstones), {"exchange_id": row["id"], "at": now})
    kept = {name: value for name, value in row.items() if name != "id"}
    conn.execute(sa.insert(exchanges), {**kept, "claimed_by": None, **changed})
