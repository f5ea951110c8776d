"""What the journal stores about a person, for that person."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from bot.journal import intents, preferences, usage
from bot.journal.columns import from_json, when
from bot.journal.tables import exchanges, inbox, introductions, links, off_record, pauses, settings, turns


def export(conn: sa.Connection, user_id: str, person_keys: Sequence[str]) -> dict[str, Any]:
    """Turns, what waits to be learned or answered, linked accounts, settings and usage; times in ISO form."""
    keys = list(person_keys)
    theirs = sa.or_(turns.c.user_id == user_id, turns.c.person_key.in_(keys))
    recent = conn.execute(sa.select(turns).where(theirs).order_by(turns.c.id)).all()
    owned = sa.or_(exchanges.c.user_id == user_id, exchanges.c.person_key.in_(keys))
    waiting = conn.execute(sa.select(exchanges).where(owned).order_by(exchanges.c.id)).all()
    payloads = conn.scalars(sa.select(inbox.c.payload).where(inbox.c.person_key.in_(keys)).order_by(inbox.c.at))
    linked = conn.execute(sa.select(links.c.person_key, links.c.at).where(links.c.user_id == user_id)).all()
    over = conn.execute(sa.select(pauses).where(pauses.c.user_id == user_id).order_by(pauses.c.began)).all()
    unnoticed = preferences.since(conn, user_id)
    paused = conn.execute(sa.select(settings.c.paused_at).where(settings.c.user_id == user_id)).scalar()
    introduced = sa.select(introductions).where(introductions.c.person_key.in_(keys), introductions.c.told == 1)
    told = conn.execute(introduced.order_by(introductions.c.at)).all()
    aside = sa.select(off_record).where(off_record.c.person_key.in_(keys)).order_by(off_record.c.began)
    return {
        "turns": [
            {"event": row.event_id, "by": row.author, "name": row.name, "at": _iso(row.at), "text": row.text}
            for row in recent
        ],
        "waiting_to_be_learned": [
            {
                "event": row.event_id,
                "at": when(row.at, row.utc_offset).isoformat(),
                "place": row.place,
                "text": row.text,
                "answer": row.answer,
            }
            for row in waiting
        ],
        "waiting_to_be_answered": [
            {"event": event.id, "at": event.at.isoformat(), "place": event.place.name, "text": event.said}
            for event in map(from_json, payloads)
        ],
        "wishes_to_forget": intents.wishes(conn, keys),
        "linked_accounts": [{"account": row.person_key, "since": _iso(row.at)} for row in linked],
        "settings": {
            "memory_paused_since": None if paused is None else _iso(paused),
            "no_line_below_answers_since": None if unnoticed is None else _iso(unnoticed),
            "memory_was_paused": [{"from": _iso(row.began), "to": _iso(row.ended)} for row in over],
            "off_the_record": [
                {
                    "account": row.person_key,
                    "channel": row.channel,
                    "thread": row.thread or None,
                    "from": _iso(row.began),
                    "to": None if row.ended is None else _iso(row.ended),
                }
                for row in conn.execute(aside)
            ],
        },
        "told_of_memory": [{"workspace": row.workspace, "at": _iso(row.at)} for row in told],
        "usage": usage.export(conn, keys),
    }


def _iso(seconds: float) -> str:
    return when(seconds).isoformat()
