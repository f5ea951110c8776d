"""Whose memories an account has: linking accounts, parting them, and one account's former keys."""

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from bot.erasures import Erasure, Joined, MoveMemories
from bot.journal import erasure_queue, links, outbox, pauses, preferences
from bot.journal.runner import Runner
from bot.journal.tables import (
    adds,
    codes,
    epochs,
    erasures,
    exchanges,
    forgettings,
    guesses,
    inbox,
    intents,
    settings,
    taught,
    turns,
    unnoticed,
)
from bot.journal.tables import links as links_table
from bot.journal.tables import pauses as pauses_table
from bot.model import Account, Place, one_person

_ACCOUNT = sa.text(
    "SELECT found.user_id, settings.told,"
    " EXISTS (SELECT 1 FROM erasures WHERE erasures.user_id = found.user_id) AS erasing,"
    " EXISTS (SELECT 1 FROM introductions AS told WHERE told.person_key = CAST(:key AS TEXT) AND told.told = 1"
    " AND (told.workspace = CAST(:workspace AS TEXT) OR CAST(:workspace AS TEXT) = '')) AS introduced,"
    " EXISTS (SELECT 1 FROM off_record AS kept WHERE kept.person_key = CAST(:key AS TEXT) AND kept.ended IS NULL"
    " AND kept.channel = CAST(:channel AS TEXT) AND kept.thread IN ('', CAST(:thread AS TEXT))) AS off_record"
    " FROM (SELECT coalesce((SELECT user_id FROM links WHERE person_key = CAST(:key AS TEXT)), CAST(:key AS TEXT))"
    " AS user_id) AS found LEFT JOIN settings ON settings.user_id = found.user_id"
)
#: Where accounts, and mem0 users, are named.
_NAMED = (
    *(turns.c.person_key, turns.c.user_id, exchanges.c.person_key, exchanges.c.user_id, inbox.c.person_key),
    *(
        links_table.c.person_key,
        links_table.c.user_id,
        settings.c.user_id,
        pauses_table.c.user_id,
        unnoticed.c.user_id,
        taught.c.user_id,
        adds.c.user_id,
    ),
    erasures.c.user_id,
)


class SqlAccounts:
    """`bot.ports.Accounts`."""

    def __init__(self, runner: Runner, clock: Callable[[], float]) -> None:
        self._runner = runner
        self._clock = clock

    async def user_id(self, person_key: str) -> str:
        """The mem0 user id of an account: its own key unless it is linked."""
        return await self._runner.read(links.user_id, person_key)

    async def account(self, person_key: str, place: Place | None = None) -> Account:
        """Whose memories an account has, whether they may be used now, and what holds for it in a place."""
        return await self._runner.read(account, person_key, place)

    async def linked_to(self, user_id: str) -> list[str]:
        """The accounts linked to a mem0 user id, that id's own account not among them."""
        return await self._runner.read(links.linked_to, user_id)

    async def people(self, platform: str) -> list[str]:
        """The keys of a platform's accounts, and its mem0 user ids, about which anything is stored here."""
        return await self._runner.read(people, platform)

    async def unite(self, former: str, key: str) -> Joined | None:
        """Join an account's former key to its own; None if they share their memories already."""
        return await self._runner.write(unite, former, key, self._clock())

    async def unlink(self, person_key: str) -> Joined | None:
        """Unlink an account from those that it is linked with; None if it isn't linked."""
        return await self._runner.write(unlink, person_key, self._clock())

    async def former_keys(self, platform: str, workspace: str) -> list[str]:
        """The former keys of a workspace's accounts that were joined to their own."""
        return await self._runner.read(former_keys, platform, workspace)


def account(conn: sa.Connection, person_key: str, place: Place | None = None) -> Account:
    """The account's mem0 user id, whether its memory is paused, whether an erasure is still in progress, and what holds
    for it in a place."""
    where = {"workspace": "", "channel": "", "thread": ""}
    if place is not None:
        where = {"workspace": place.workspace_key, "channel": place.channel_key, "thread": place.thread or ""}
    user_id, announced, erasing, introduced, kept = conn.execute(_ACCOUNT, {"key": person_key, **where}).one()
    paused, introduced = announced is not None, place is None or bool(introduced)
    return Account(user_id, paused, bool(announced), bool(erasing), introduced, bool(kept))


def people(conn: sa.Connection, platform: str) -> list[str]:
    """The keys of a platform's accounts, and its mem0 user ids, about which anything is stored."""
    named = (sa.select(column).where(column.startswith(f"{platform}:", autoescape=True)) for column in _NAMED)
    return list(conn.scalars(sa.union(*named)))


def former_keys(conn: sa.Connection, platform: str, workspace: str) -> list[str]:
    """The former keys of a workspace's accounts that share their memories."""
    prefix = f"{platform}:{workspace}:"
    own = sa.select(links_table.c.user_id).where(links_table.c.person_key.startswith(prefix, autoescape=True))
    with_own = sa.or_(links_table.c.user_id.startswith(prefix, autoescape=True), links_table.c.user_id.in_(own))
    groups: dict[str, set[str]] = {}
    for key, user in conn.execute(sa.select(links_table.c.person_key, links_table.c.user_id).where(with_own)):
        groups.setdefault(user, {user}).add(key)
    return sorted(
        key
        for keys in groups.values()
        for key in keys
        if not key.startswith(prefix) and any(other.startswith(prefix) and one_person(other, key) for other in keys)
    )


def unite(conn: sa.Connection, former_key: str, key: str, now: float) -> Joined | None:
    """Join an account's former key to its own; None if they share their memories already.

    What is stored here goes by the account's own key from now on.
    """
    if conn.dialect.name == "postgresql":  # two processes meet a person at once: the second finds it done
        conn.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(key))))
    former, to = links.user_id(conn, former_key), links.user_id(conn, key)
    joined = None if former == to else join(conn, former, to, now)
    for table in (inbox, turns, exchanges, intents, codes, guesses, forgettings):
        conn.execute(sa.update(table).where(table.c.person_key == former_key).values(person_key=key))
    return joined


def join(conn: sa.Connection, former: str, to: str, now: float) -> Joined:
    """Let a mem0 user's accounts share the memories of another's, and those follow."""
    keys = [former, *links.linked_to(conn, former)]
    for key in keys:
        links.link(conn, key, to, now)
    _move_texts(conn, former, to, keys, now)
    pauses.move(conn, former, to, keep=False)
    preferences.move(conn, former, to, keep=False)
    (moving,) = erasure_queue.add(conn, [Erasure(MoveMemories(former, to))], now)
    return Joined(to, former, moving)


def unlink(conn: sa.Connection, person_key: str, now: float) -> Joined | None:
    """Unlink an account from those that it is linked with; None if it isn't linked. The others stay together.

    If the others share this account's mem0 user, they move to one of their own; `Joined.user_id` is where what moves
    goes.
    """
    user = links.user_id(conn, person_key)
    together = [user, *links.linked_to(conn, user)]
    own = [key for key in together if one_person(key, person_key)]  # the account's former keys go with it
    others = [key for key in together if key not in own]
    if not others:
        return None
    to, moved = (others[0], others) if user in own else (person_key, own)
    for key in moved:
        links.unlink(conn, key)
        if key != to:
            links.link(conn, key, to, now)
    _move_texts(conn, user, to, moved, now)
    pauses.move(conn, user, to, keep=True)
    preferences.move(conn, user, to, keep=True)
    (moving,) = erasure_queue.add(conn, [Erasure(MoveMemories(user, to, tuple(sorted(moved))))], now)
    return Joined(to, user, moving)


def _move_texts(conn: sa.Connection, former: str, to: str, keys: Sequence[str], now: float) -> None:
    """Give another mem0 user what those accounts said and what waits to be learned of it.

    What waits is rewritten under new ids: a lesson of the former user in progress can't be committed.
    """
    # On PostgreSQL this waits for answers that are about to be committed, whose turns are then found; later ones wait.
    answered = sa.select(inbox.c.event_id).where(inbox.c.person_key.in_(list(keys))).order_by(inbox.c.event_id)
    conn.execute(answered.with_for_update())
    for table in (turns, exchanges):
        theirs = sa.and_(table.c.user_id == former, table.c.person_key.in_(list(keys)))
        conn.execute(sa.update(table).where(theirs).values(user_id=to))
    moved = sa.and_(exchanges.c.user_id == to, exchanges.c.person_key.in_(list(keys)))
    for row in conn.execute(sa.select(exchanges).where(moved).order_by(exchanges.c.id)).mappings().all():
        outbox.renew(conn, row, now)


def epoch(conn: sa.Connection, user: str) -> int:
    """How often that mem0 user has had everything forgotten."""
    found: int | None = conn.execute(sa.select(epochs.c.epoch).where(epochs.c.user_id == user)).scalar()
    return found or 0


def bump_epoch(conn: sa.Connection, user: str) -> None:
    """Count one forgetting of everything."""
    conn.execute(
        sa.text(
            "INSERT INTO epochs (user_id, epoch) VALUES (:user_id, 1)"
            " ON CONFLICT (user_id) DO UPDATE SET epoch = epochs.epoch + 1"
        ),
        {"user_id": user},
    )
