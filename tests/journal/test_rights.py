"""The journal's part in people's rights, on SQLite and PostgreSQL alike."""

import asyncio
import json
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.erasures import (
    Erasure,
    ForgetAccount,
    ForgetAll,
    ForgetMemories,
    ForgetSources,
    ForgetTexts,
    ForgetWorkspace,
    MoveMemories,
    What,
)
from bot.events import Edit, Edited
from bot.journal.journal import SqlJournal
from bot.model import Account
from bot.ports import TooManyCodes
from tests.journal.conftest import Clock, Database, Open
from tests.journal.makers import CHANNEL, buried, heard, in_channel, link, told
from tests.makers import ANN, BOB, MONDAY, message

CANARY = "zebrafinch"
OTHER = "discord:7"


async def test_an_account_is_read_in_one_go(journal: SqlJournal) -> None:
    """Whose memories it has, and whether they are paused or being erased, is told for linked accounts too."""
    assert await journal.accounts.account(ANN.key) == Account(ANN.key)
    await link(journal, OTHER, ANN.key)
    await journal.pauses.set(ANN.key, True)
    await journal.pauses.set(ANN.key, True)
    assert await journal.accounts.account(OTHER) == Account(ANN.key, paused=True, pause_announced=False)
    (queued,) = await journal.erasures.add([Erasure(ForgetAll((ANN.key,)), ANN.key)])
    assert (await journal.accounts.account(OTHER)).erasing
    await journal.erasures.done(queued.id)
    await journal.pauses.set(ANN.key, False)
    assert await journal.accounts.account(OTHER) == Account(ANN.key)


async def test_pausing_is_told_once_over_all_processes(open_: Open) -> None:
    """However many answers are on their way, one of them says that memory is paused."""
    journals = [await open_(), await open_()]
    await journals[0].pauses.set(ANN.key, True)
    told_by = await asyncio.gather(*(journal.pauses.announce(ANN.key) for journal in journals * 3))
    assert told_by.count(True) == 1
    assert not await journals[0].pauses.announce(BOB.key)


async def test_what_was_said_in_a_pause_waits_for_no_lesson(journal: SqlJournal, clock: Clock) -> None:
    """Not within a pause that is over, nor in one that is on; the moments before and after are another matter."""
    clock.now = MONDAY.timestamp() + 150  # message `number` is written so many minutes after MONDAY
    await journal.pauses.set(ANN.key, True)
    clock.now += 180
    await journal.pauses.set(ANN.key, False)
    clock.now += 180
    await journal.pauses.set(ANN.key, True)
    for number in range(1, 11):
        await told(journal, f"text {number}", number)
    waiting = [exchange.text for exchange in await journal.outbox.claim(ANN.key, "private")]
    assert waiting == ["text 1", "text 2", "text 6", "text 7", "text 8"]
    (over,) = (await journal.texts.export(ANN.key, [ANN.key]))["settings"]["memory_was_paused"]
    assert (over["from"], over["to"]) == ("2026-11-16T09:02:30+00:00", "2026-11-16T09:05:30+00:00")
    await heard(journal, replace(message("Bob's", number=4, person=BOB), id="slack:T1:D1:99"))
    assert len(await journal.outbox.claim(BOB.key, "private")) == 1


async def test_erasures_wait_until_they_are_done(journal: SqlJournal, clock: Clock) -> None:
    """Whoever recorded an erasure has a minute; then it is due for anybody, again and again at growing intervals."""
    wanted = Erasure(ForgetMemories((ANN.key,), ("m1",)), ANN.key)
    (queued,) = await journal.erasures.add([wanted])
    assert await journal.erasures.due() == []
    clock.now += 61
    assert await journal.erasures.due() == [queued]
    assert await journal.erasures.due() == []  # claimed
    await journal.erasures.retry_later(queued.id)
    clock.now += 31
    assert await journal.erasures.due() == [queued]
    await journal.erasures.done(queued.id)
    clock.now += 10_000
    assert await journal.erasures.due() == []


async def test_an_erasure_that_is_not_due_can_be_cancelled(journal: SqlJournal, clock: Clock) -> None:
    """What returns within the grace period is not erased, and only that."""
    one, two = (Erasure(ForgetWorkspace("slack", name)) for name in ("T1", "T2"))
    await journal.erasures.add([one, two], 3600)
    assert await journal.erasures.cancel(one) == 1
    assert await journal.erasures.cancel(one) == 0
    clock.now += 3601
    assert [erasure.what for erasure in await journal.erasures.due()] == [ForgetWorkspace("slack", "T2")]


#: Every kind of erasure as every version has written it to the database.
WRITTEN: list[tuple[str, str, What]] = [
    ("raw", '{"accounts":["a","b"],"user":"a"}', ForgetTexts("a", ("a", "b"))),
    ("everything", '{"users":["a"]}', ForgetAll(("a",))),
    ("memories", '{"ids":["m1","m2"],"users":["a","b"]}', ForgetMemories(("a", "b"), ("m1", "m2"))),
    ("sources", '{"events":["e1"],"user":"a"}', ForgetSources(("e1",), "a")),
    ("sources", '{"events":["e1","e2"],"user":null}', ForgetSources(("e1", "e2"), None)),
    ("move", '{"accounts":null,"from":"a","to":"b"}', MoveMemories("a", "b")),
    ("move", '{"accounts":["a","c"],"from":"a","to":"b"}', MoveMemories("a", "b", ("a", "c"))),
    ("workspace", '{"platform":"slack","workspace":"T1"}', ForgetWorkspace("slack", "T1")),
    ("account", '{"account":"discord:7"}', ForgetAccount("discord:7")),
]


async def test_erasures_keep_their_form_in_the_database(journal: SqlJournal, database: Database) -> None:
    """Other versions read what is written here, and the same erasure is written the same way."""
    await journal.erasures.add([Erasure(what) for _, _, what in WRITTEN], 0)
    with closing(database.connect()) as conn:
        rows = conn.execute("SELECT kind, what FROM erasures ORDER BY id").fetchall()
    assert [tuple(row) for row in rows] == [(kind, what) for kind, what, _ in WRITTEN]


async def test_erasures_of_other_versions_are_read(journal: SqlJournal, database: Database, clock: Clock) -> None:
    """What earlier versions have queued is due here; what a newer one has queued is left to it."""
    earliest = ("memories", '{"ids":["m1"],"user":"a"}', ForgetMemories(("a",), ("m1",)))
    newer = ("thoughts", '{"of":"a"}')
    mark = "?" if database.url is None else "%s"
    insert = f"INSERT INTO erasures (kind, user_id, what, due, at) VALUES ({mark}, 'a', {mark}, 0, 0)"
    with closing(database.connect()) as conn:
        for kind, what, *_ in (newer, *WRITTEN, earliest):
            conn.execute(insert, (kind, what))
        conn.commit()
    found = await journal.erasures.due()
    assert [erasure.what for erasure in found] == [*(what for _, _, what in WRITTEN), earliest[2]]
    assert {erasure.user_id for erasure in found} == {"a"}
    for erasure in found:
        await journal.erasures.done(erasure.id)
    clock.now += 10_000
    assert await journal.erasures.due() == []
    with closing(database.connect()) as conn:
        assert [tuple(row) for row in conn.execute("SELECT kind, what FROM erasures")] == [newer]


async def test_nothing_is_learned_while_everything_is_being_erased(journal: SqlJournal) -> None:
    """Until the memories are gone, what is told waits: the erasure would take it along."""
    (queued,) = await journal.erasures.add([Erasure(ForgetAll((ANN.key,)), ANN.key)])
    await told(journal, "new", 1)
    await told(journal, "Bob's", 2, person=BOB)
    assert await journal.outbox.waiting() == [(BOB.key, "private")]
    assert await journal.outbox.claim(ANN.key, "private") == []
    await journal.erasures.done(queued.id)
    assert [exchange.text for exchange in await journal.outbox.claim(ANN.key, "private")] == ["new"]


async def test_a_stretch_of_time_goes_with_its_answers(journal: SqlJournal) -> None:
    """What was said within it goes, answers and exchanges included; before, after and other people's stays."""
    for number in (1, 2, 3):
        conversation = await told(journal, f"q{number}", number, answer=f"a{number}")
    await told(journal, "Bob's", 2_000, person=BOB)
    start, end = MONDAY + timedelta(minutes=2), MONDAY + timedelta(minutes=3)
    assert await journal.texts.forget_since(ANN.key, [ANN.key], start, end) == 3
    texts = [turn.text for turn in await journal.turns.recent(conversation)]
    assert texts == ["q1", "a1", "q3", "a3", "Bob's", "I see."]
    assert [exchange.text for exchange in await journal.outbox.claim(ANN.key, "private")] == ["q1", "q3"]


async def test_an_answers_deletion_is_no_more_than_that(journal: SqlJournal) -> None:
    """The turn of the bot's own message goes, also from what is still to be learned; the person's stays."""
    conversation = await told(journal, "q", 1, answer="a")
    assert await journal.changes.any_stored(["slack:T1:D1:1/answer"])
    assert not await journal.changes.any_stored(["slack:T1:D1:2"])
    assert await journal.changes.forget(["slack:T1:D1:1/answer"]) == 2
    assert [turn.text for turn in await journal.turns.recent(conversation)] == ["q"]
    assert [(exchange.text, exchange.answer) for exchange in await journal.outbox.claim(ANN.key, "private")] == [
        ("q", "")
    ]


async def test_what_is_erased_while_it_is_learned_is_void(journal: SqlJournal) -> None:
    """A tombstone stands for each exchange that went: for stores that can't share our transaction."""
    await told(journal, "one", 1)
    await told(journal, "two", 2)
    first, second = await journal.outbox.claim(ANN.key, "private")
    await journal.changes.forget([first.event_id])
    # The lesson of the second is void too, since it may have been shown what the first had taught: it begins anew.
    assert (await buried(journal, first.id), await buried(journal, second.id)) == (True, True)
    (again,) = await journal.outbox.claim(ANN.key, "private")
    assert (again.event_id, await buried(journal, again.id)) == (second.event_id, False)
    await journal.outbox.learned([again.id])
    assert not await buried(journal, again.id)
    assert await journal.taught.accounts_of([first.event_id, second.event_id]) == {second.event_id: ANN.key}
    assert await journal.taught.everyone() == [ANN.key]


async def test_an_edit_is_known_for_what_it_is(journal: SqlJournal) -> None:
    """Unknown, unchanged, still open or changed: each is told apart."""
    event = message("one")
    assert await journal.changes.compare(event) is Edit.UNKNOWN
    conversation = await journal.inbox.admit(event)
    assert conversation is not None
    assert await journal.changes.compare(event) is Edit.SAME
    assert await journal.changes.compare(replace(event, text="two")) is Edit.OPEN
    await journal.inbox.answered(event, ANN.key, conversation, "a", [], learn=True)
    assert await journal.changes.compare(event) is Edit.SAME
    assert await journal.changes.compare(replace(event, text="two")) is Edit.CHANGED


async def test_an_edited_message_waits_for_what_it_taught_to_go(journal: SqlJournal, database: Database) -> None:
    """The new text is held until `release`, under a new id, with its answer; the old one is on no page."""
    conversation = await told(journal, f"a {CANARY}", 1, answer="ok")
    (old,) = await journal.outbox.claim(ANN.key, "private")
    edited = message("a wren")
    await journal.changes.edit([Edited(edited, ANN.key, learn=True)])
    assert [turn.text for turn in await journal.turns.recent(conversation)] == ["a wren", "ok"]
    assert await journal.outbox.claim(ANN.key, "private") == []
    await journal.taught.release([edited.id])
    (new,) = await journal.outbox.claim(ANN.key, "private")
    assert (new.text, new.answer, new.id > old.id) == ("a wren", "ok", True)
    assert await buried(journal, old.id)
    assert CANARY.encode() not in database.everything()


async def test_a_workspace_goes_whole_and_alone(journal: SqlJournal) -> None:
    """Everything said there goes, whoever said it; other workspaces and direct messages stay."""
    await told(journal, "slack dm", 1)
    await heard(journal, in_channel("guild", 2))
    elsewhere = replace(CHANNEL, workspace="G11")
    await heard(journal, in_channel("other guild", 3, place=elsewhere))
    await journal.texts.forget_workspace("discord", "G1")
    exported = await journal.texts.export(ANN.key, [ANN.key])
    assert [turn["text"] for turn in exported["turns"] if turn["by"] == "user"] == ["slack dm", "other guild"]
    assert [exchange["text"] for exchange in exported["waiting_to_be_learned"]] == ["slack dm", "other guild"]
    await journal.texts.forget_workspace("slack", "T1")
    assert (await journal.texts.export(ANN.key, [ANN.key]))["turns"] == []
    with pytest.raises(ValueError, match="workspace"):
        await journal.texts.forget_workspace("discord", "")


async def test_the_export_is_one_persons(journal: SqlJournal) -> None:
    """It holds turns, what waits, open messages, links and settings of one person, as JSON can hold them."""
    await told(journal, "mine", 1)
    await told(journal, "Bob's", 2, person=BOB)
    await journal.inbox.admit(message("open", number=3))
    await link(journal, OTHER, ANN.key)
    await journal.pauses.set(ANN.key, True)
    exported = json.loads(json.dumps(await journal.texts.export(ANN.key, [ANN.key, OTHER])))
    assert [turn["text"] for turn in exported["turns"]] == ["mine", "I see."]
    assert [exchange["text"] for exchange in exported["waiting_to_be_learned"]] == ["mine"]
    assert [event["text"] for event in exported["waiting_to_be_answered"]] == ["open"]
    assert [link["account"] for link in exported["linked_accounts"]] == [OTHER]
    assert exported["settings"]["memory_paused_since"].startswith("2026-11-16")
    assert exported["turns"][0]["name"] == "Ann"


async def test_forgetting_everything_takes_links_settings_and_codes(journal: SqlJournal) -> None:
    """Afterwards the accounts are parted, memory is on, and no code of theirs joins anybody."""
    await link(journal, OTHER, ANN.key)
    await journal.pauses.set(ANN.key, True)
    await journal.codes.offer(OTHER, "digest")
    await journal.texts.forget_person(ANN.key, [ANN.key, OTHER])
    assert await journal.accounts.account(OTHER) == Account(OTHER)
    assert await journal.accounts.account(ANN.key) == Account(ANN.key)
    assert await journal.codes.redeem(BOB.key, "digest") is None


async def test_a_code_joins_once_and_parts_again(journal: SqlJournal) -> None:
    """A link moves what waits under new ids, an unlink moves back what that account said."""
    await told(journal, "Bob's", 1, person=BOB)
    await told(journal, "mine", 2)
    (before,) = await journal.outbox.claim(BOB.key, "private")
    await journal.codes.offer(ANN.key, "digest")
    joined = await journal.codes.redeem(BOB.key, "digest")
    assert joined is not None
    assert (joined.user_id, joined.former) == (ANN.key, BOB.key)
    assert joined.moving.what == MoveMemories(BOB.key, ANN.key, accounts=None)
    assert await buried(journal, before.id)
    assert [(exchange.text, exchange.person_key) for exchange in await journal.outbox.claim(ANN.key, "private")] == [
        ("mine", ANN.key),
        ("Bob's", BOB.key),
    ]
    assert await journal.codes.redeem("discord:9", "digest") is None
    unlinked = await journal.accounts.unlink(BOB.key)
    assert unlinked is not None
    assert unlinked.moving.what == MoveMemories(ANN.key, BOB.key, (BOB.key,))
    assert [exchange.text for exchange in await journal.outbox.claim(BOB.key, "private")] == ["Bob's"]
    assert await journal.accounts.unlink(BOB.key) is None


async def test_wrong_codes_are_counted_per_account(journal: SqlJournal, clock: Clock) -> None:
    """Five wrong ones close the account's door for ten minutes, whatever it enters; others' stay open."""
    for number in range(5):
        assert await journal.codes.redeem(BOB.key, f"wrong {number}") is None
    await journal.codes.offer(ANN.key, "digest")
    with pytest.raises(TooManyCodes):
        await journal.codes.redeem(BOB.key, "digest")
    clock.now += 601
    assert await journal.codes.redeem(BOB.key, "digest") is None  # too old by now
    await journal.codes.offer(ANN.key, "digest")
    assert await journal.codes.redeem(BOB.key, "digest") is not None


async def test_one_of_many_processes_redeems_a_code(open_: Open) -> None:
    """Entered at the same moment in two processes, a code joins one account."""
    first, second = await open_(), await open_()
    await first.codes.offer(ANN.key, "digest")
    tries = [journal.codes.redeem(f"discord:{number}", "digest") for number, journal in enumerate([first, second] * 3)]
    found = [joined for joined in await asyncio.gather(*tries) if joined is not None]
    assert len(found) == 1
    assert await first.accounts.linked_to(ANN.key) == [found[0].former]


async def test_an_answer_counts_for_whom_it_is_then(journal: SqlJournal) -> None:
    """A message that is being answered while its account is linked is kept, and learned, for both accounts."""
    event = message("Bob's", person=BOB)
    conversation = await journal.inbox.admit(event)
    assert conversation is not None
    await link(journal, BOB.key, ANN.key)
    await journal.inbox.answered(event, BOB.key, conversation, "a", [], learn=True)
    assert [exchange.text for exchange in await journal.outbox.claim(ANN.key, "private")] == ["Bob's"]


async def test_processes_that_are_told_of_one_edit_at_once(open_: Open) -> None:
    """Both write it down, and there is one text to be learned: where the first turns are no longer kept, too."""
    journals = [await open_(bot_turns=0) for _ in range(2)]
    for number in range(20):
        conversation = await told(journals[0], "I like tea", number, learn=False)
        assert conversation
        edited = message("I like coffee", number=number)
        await asyncio.gather(*(journal.changes.edit([Edited(edited, ANN.key, learn=True)]) for journal in journals))
        await journals[0].taught.release([edited.id])
    assert len(await journals[0].outbox.claim(ANN.key, "private")) == 20
