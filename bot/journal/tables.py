"""The journal's tables. Times are seconds since 1970 as floats; texts are plain, without null characters.

On SQLite they are ordinary rowid tables, whose deleted rows `secure_delete` overwrites. Raw text is in the tables of
`TEXTS` alone, whose rows are short-lived.
"""

import sqlalchemy as sa

metadata = sa.MetaData()

_Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")

#: Every message seen or sent, by the platform's own id: the record by which a second copy is ignored. `event_id` is the
#: message itself, or for the bot's own messages the event that they answer; it is empty (as place and conversation are)
#: if the message was deleted or edited before it was seen. `off_record` is 1 if nothing of it may be learned.
#: `joined_to` is the event with whose answer it was answered, if that is another one.
messages = sa.Table(
    "messages",
    metadata,
    sa.Column("message_id", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("conversation", sa.Text, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("off_record", sa.Integer, nullable=False, server_default="0"),
    sa.Column("joined_to", sa.Text),
    sa.Index("messages_by_place", "place", "at"),
    sa.Index("messages_by_event", "event_id"),
)
_joined = messages.c.joined_to.is_not(None)
sa.Index("messages_joined", messages.c.joined_to, sqlite_where=_joined, postgresql_where=_joined)

#: Admitted events without an answer. `payload` is the event as JSON; the row goes with the answer. `unkept` is 1 if the
#: answer in progress may repeat what has been forgotten meanwhile: then it is not kept. `ahead` is 1 if the edit of a
#: message came before the message itself: its new text waits for that, and is not to be answered before. `joined_to` is
#: the open event that is answered together with this one (`bot.journal.thoughts`), and `included` is 1 if the answer
#: that is shown, or will be, is to this one too.
inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("person_key", sa.Text, nullable=False),
    sa.Column("conversation", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("claimed_by", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_try", sa.Double, nullable=False, server_default="0"),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("unkept", sa.Integer, nullable=False, server_default="0"),
    sa.Column("ahead", sa.Integer, nullable=False, server_default="0"),
    sa.Column("joined_to", sa.Text),
    sa.Column("included", sa.Integer, nullable=False, server_default="0"),
    sa.Index("inbox_by_person", "person_key"),
)

#: Recent turns. `at` is when it was said, `kept_at` when it was stored. Both turns of an exchange are the asker's.
#: `number` counts the turns of a conversation, those that are gone included.
turns = sa.Table(
    "turns",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("conversation", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("person_key", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("kept_at", sa.Double, nullable=False),
    sa.Column("number", sa.Integer, nullable=False, server_default="0"),
    sa.Index("turns_by_conversation", "conversation", "id"),
    sa.Index("turns_by_event", "event_id"),
    sa.Index("turns_by_person", "person_key"),
    sa.Index("turns_by_user", "user_id"),
)

#: The outbox: exchanges that wait to be learned. `state` is `waiting`, `failed`, or `held` while what was learned
#: before an edit is being forgotten. `utc_offset` is by how many seconds the person's clock was ahead of UTC. Ids are
#: never reused (AUTOINCREMENT): a lesson in flight must not mark a later exchange as learned.
exchanges = sa.Table(
    "exchanges",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("event_id", sa.Text, nullable=False, unique=True),
    sa.Column("person_key", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("link", sa.Text, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("conversation", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="waiting"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_try", sa.Double, nullable=False, server_default="0"),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("claimed_by", sa.Text),
    sa.Column("utc_offset", sa.Integer, nullable=False, server_default="0"),
    sa.Index("exchanges_by_user", "user_id", "scope", "id"),
    sqlite_autoincrement=True,
)

#: Accounts whose memories are another mem0 user's.
links = sa.Table(
    "links",
    metadata,
    sa.Column("person_key", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Index("links_by_user", "user_id"),
)

#: What a button that was shown does: ids as JSON; the words of a wish where it shows what those would have forgotten.
intents = sa.Table(
    "intents",
    metadata,
    sa.Column("token", sa.Text, primary_key=True),
    sa.Column("person_key", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("ids", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
)

#: Ranges of time of which an account has had forgotten what it said: what was said then and is admitted later isn't
#: kept. Empty ranges say only when (`at`) something was forgotten: what was said before isn't read again from the
#: platform. `person_key` may also be a place's key, where that holds for what the bot itself has said.
forgettings = sa.Table(
    "forgettings",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("person_key", sa.Text, nullable=False),
    sa.Column("began", sa.Double, nullable=False),
    sa.Column("ended", sa.Double, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Index("forgettings_by_person", "person_key"),
)

#: How often a person has had everything forgotten: a lesson of an earlier epoch may not be committed.
epochs = sa.Table(
    "epochs",
    metadata,
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Integer, nullable=False),
)

#: Whose memory is paused, per mem0 user. `told` is 1 once an answer has said so.
settings = sa.Table(
    "settings",
    metadata,
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("paused_at", sa.Double, nullable=False),
    sa.Column("told", sa.Integer, nullable=False, server_default="0"),
)

#: Ranges of time in which a mem0 user's memory was paused, once they are over.
pauses = sa.Table(
    "pauses",
    metadata,
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("began", sa.Double, primary_key=True),
    sa.Column("ended", sa.Double, nullable=False),
)

#: Who doesn't want a line below the answers that taught something, per mem0 user, and since when.
unnoticed = sa.Table(
    "unnoticed",
    metadata,
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("at", sa.Double, nullable=False),
)

#: What is still to be erased (`bot.erasures`): recorded before it is tried, deleted once it is done. `what` is JSON of
#: ids, never text; `user_id` is set if that person's memories may not be used meanwhile.
erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False, server_default=""),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("due", sa.Double, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("at", sa.Double, nullable=False),
    sa.Index("erasures_by_user", "user_id"),
)

#: Codes that link accounts, as digests. `tries` counts the accounts that entered one and couldn't use it. `name` is
#: the name of the person who requested it.
codes = sa.Table(
    "codes",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("person_key", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("name", sa.Text, nullable=False, server_default=""),
)

#: Wrong codes: who entered them, and when.
guesses = sa.Table(
    "guesses",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("person_key", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Index("guesses_by_person", "person_key"),
)

#: Whose memories an event added to, for a memory store that can't tell by itself (hosted mem0).
taught = sa.Table(
    "taught",
    metadata,
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Index("taught_by_user", "user_id"),
)

#: Exchanges that were erased or replaced while they waited: the facts of an extraction in progress are void.
tombstones = sa.Table(
    "tombstones",
    metadata,
    sa.Column("exchange_id", _Id, primary_key=True),
    sa.Column("at", sa.Double, nullable=False),
)

#: What hosted mem0 was asked to add: recorded before it is asked, deleted once the outcome is known. See
#: `bot.model.QueuedAdd`.
adds = sa.Table(
    "adds",
    metadata,
    sa.Column("token", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("replaces", sa.Text, nullable=False),
    sa.Column("exchange_id", _Id, nullable=False),
    sa.Column("event", sa.Text, nullable=False, server_default=""),
    sa.Column("void", sa.Integer, nullable=False, server_default="0"),
    sa.Column("at", sa.Double, nullable=False),
    sa.Index("adds_by_user", "user_id"),
)

#: Processes at work. A claim whose worker isn't here is void. `seen` is by the database's clock (PostgreSQL).
workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("seen", sa.Double, nullable=False),
)

#: What a worker is to be told of events that it has claimed (`bot.journal.signals`); for seconds.
signals = sa.Table(
    "signals",
    metadata,
    sa.Column("worker", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("signal", sa.Integer, primary_key=True),
)

#: Messages of others that an answer was given with, by their platform's ids: its text isn't kept, and deleting one of
#: them drops the turn.
readings = sa.Table(
    "readings",
    metadata,
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("message_id", sa.Text, primary_key=True),
    sa.Index("readings_by_message", "message_id"),
)

#: What requests to models took, summed up: per day (UTC, as `2026-11-28`), workspace (`slack:T1`), account, model and
#: purpose. Ids and numbers, no text. Workspace and account are empty once that person or workspace was erased.
usage = sa.Table(
    "usage",
    metadata,
    sa.Column("day", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("person_key", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("purpose", sa.Text, primary_key=True),
    sa.Column("requests", sa.BigInteger, nullable=False),
    sa.Column("unpriced", sa.BigInteger, nullable=False),
    sa.Column("input", sa.BigInteger, nullable=False),
    sa.Column("cached", sa.BigInteger, nullable=False),
    sa.Column("written", sa.BigInteger, nullable=False),
    sa.Column("output", sa.BigInteger, nullable=False),
    sa.Column("searches", sa.BigInteger, nullable=False),
    sa.Column("nanodollars", sa.BigInteger, nullable=False),
    sa.Index("usage_by_person", "person_key"),
)

#: Requests in flight, each with the most that it can take. `user_id` is whose bound it counts toward.
reservations = sa.Table(
    "reservations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("worker", sa.Text, nullable=False),
    sa.Column("day", sa.Text, nullable=False),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("person_key", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("unpriced", sa.Integer, nullable=False),
    sa.Column("input", sa.BigInteger, nullable=False),
    sa.Column("cached", sa.BigInteger, nullable=False),
    sa.Column("written", sa.BigInteger, nullable=False),
    sa.Column("output", sa.BigInteger, nullable=False),
    sa.Column("searches", sa.BigInteger, nullable=False),
    sa.Column("nanodollars", sa.BigInteger, nullable=False),
)

#: What was spent in a day (UTC) by a mem0 user, or with an empty `user_id` by everybody; and what is reserved for
#: requests in flight. Kept until the day is over, whatever is forgotten meanwhile: nobody gets a new allowance by that.
spent = sa.Table(
    "spent",
    metadata,
    sa.Column("day", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("tokens", sa.BigInteger, nullable=False),
    sa.Column("nanodollars", sa.BigInteger, nullable=False),
    sa.Column("reserved_tokens", sa.BigInteger, nullable=False),
    sa.Column("reserved_nanodollars", sa.BigInteger, nullable=False),
)

#: When a person was last told something that is said now and then only. `key` is an account's.
notices = sa.Table(
    "notices",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("at", sa.Double, nullable=False),
)

#: Who has been told that they are remembered, with the answer to which event. `workspace` is as in `usage`, empty where
#: there is none. `told` is 1 once that answer is known to have been shown.
introductions = sa.Table(
    "introductions",
    metadata,
    sa.Column("person_key", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("told", sa.Integer, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Index("introductions_by_event", "event_id"),
)

#: Conversations that a person keeps off the record, each from one moment to another (`ended` is empty while it lasts):
#: a channel (`slack:C1`), or with `thread` one of its threads. `workspace` is as in `usage`.
off_record = sa.Table(
    "off_record",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("person_key", sa.Text, nullable=False),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("thread", sa.Text, nullable=False),
    sa.Column("began", sa.Double, nullable=False),
    sa.Column("ended", sa.Double),
    sa.Index("off_record_by_person", "person_key", "channel"),
)

#: The tables that hold raw text: rewritten whole after an erasure, since neither database overwrites the copies that it
#: leaves behind when it moves a row within or between pages.
TEXTS = (inbox, turns, exchanges, intents)
