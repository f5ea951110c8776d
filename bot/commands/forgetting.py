"""`/forget`: shows what would be forgotten; one click by the caller then does it."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from bot.actions import Decide
from bot.commands.listing import PAGE
from bot.commands.wording import CANCELLED, LATER, STALE, item, messages, row, things
from bot.core.identity import Identities
from bot.events import CommandEvent, PressEvent
from bot.model import Memory, Person, StoredMessage
from bot.ports import REVIEW, Intents, MemoryStore, MemoryUnavailable
from bot.privacy.eraser import Outcome
from bot.privacy.rights import Rights
from bot.privacy.time_range import TimeRange
from bot.text import time_expressions
from bot.text.keywords import Words
from bot.views import Button, View

SUGGESTION = 100
#: Characters shown of a message before it is forgotten, and how many messages are shown.
QUOTED = 80
QUOTES = 3
#: Memories offered if none contains the words.
NEAREST = 3
#: Characters of a button's label.
BUTTON = 75
ALSO = ", and the messages that told me"


class Forgetting:
    """Proposes what to forget, and forgets it. Raises what the memory and the journal raise."""

    def __init__(self, intents: Intents, memory: MemoryStore, identities: Identities, rights: Rights) -> None:
        self._intents = intents
        self._memory = memory
        self._identities = identities
        self._rights = rights

    async def propose(self, event: CommandEvent, what: str) -> View:
        """Show what would be forgotten: everything, one memory, what matches, or a range of time."""
        user_id = await self._identities.user_id(event.person)
        if not what or what.casefold() in ("everything", "all"):
            return await self._everything(event, user_id)
        everything = await self._memory.list(user_id)
        numbers = {memory.id: number for number, memory in enumerate(everything, 1)}
        found = _named(everything, what)
        if not found and (window := time_expressions.alone(what, event.at)):
            return await self._time_range(event, everything, window, numbers)
        said: list[StoredMessage] = []
        # Invisible characters (a zero-width space) would match everything.
        if not found and not Words(what).empty:
            found = [memory for memory in await self._memory.list(user_id, what) if memory.id in numbers]
            said = _without_sources(await self._rights.find_stored_messages(user_id, what), found)
        if not found and not said:
            return await self._nearest(event, user_id, what, numbers)
        shown = tuple(item(memory, numbers[memory.id], event.at.tzinfo) for memory in found[:PAGE])
        more = f" The first {PAGE} are shown." if len(found) > PAGE else ""
        parts, notes = [], []
        if found:
            parts.append(_these(len(found)))
            notes.append("What you said in these messages goes too.")
        if said:
            parts.append(messages(said))
            notes.append(_quoted(said))
        view = View(f"Forget {', and '.join(parts)}?{more}", shown, " ".join(notes))
        return await self._confirm(event, view, ("Forget", "words", _serialize(found, said)))

    async def _nearest(self, event: CommandEvent, user_id: str, what: str, numbers: dict[str, int]) -> View:
        """Offer memories and messages that don't contain the words but may be meant, each to be forgotten by itself."""
        nothing = f"Nothing that I remember about you matches “{row(what, 80)}”."
        near: list[Memory] = []
        # A number that isn't in the list, or a symbol, is near to nothing.
        if any(letter.isalpha() for letter in what):
            with suppress(TimeoutError):
                near = await self._memory.recall(user_id, None, what, (), event.at)
        near = [memory for memory in near if memory.id in numbers][:NEAREST]
        said = _without_sources(await self._rights.find_stored_messages(user_id, what, nearly=True), near)
        if not near and not said:
            return View(f"{nothing} /memories shows what there is.")
        choices = [(f"Forget {numbers[memory.id]}", "words", _serialize([memory], [])) for memory in near]
        notes = ["If it is one of these, forget it here."]
        if said:
            choices.append((f"Forget {messages(said)}"[:BUTTON], "words", _serialize([], said)))
            notes.append(_quoted(said))
        shown = tuple(item(memory, numbers[memory.id], event.at.tzinfo) for memory in near)
        view = View(f"{nothing} The nearest by meaning:", shown, " ".join(notes))
        return await self._confirm(event, view, *choices)

    async def _everything(self, event: CommandEvent, user_id: str) -> View:
        others = await self._identities.others(event.person, user_id)
        together = f" It goes on all {len(others) + 1} of your linked accounts, which are parted." if others else ""
        paused = (await self._identities.account(event.person)).paused
        on_again = " Memory, which you have paused, is on again then." if paused else ""
        title = f"Forget everything? {await self._all(user_id)} our recent conversations and your settings."
        title += together + on_again
        return await self._confirm(event, View(title), ("Forget everything", "everything", []))

    async def _all(self, user_id: str) -> str:
        try:
            count = len(await self._memory.list(user_id))
        except MemoryUnavailable:  # that must not keep anybody from forgetting
            return "My memory is out of reach just now: it is erased as soon as it isn't. What goes at once are"
        if not count:
            return "I remember nothing about you. What goes for good are"
        return f"I remember {things(count)} about you. They go for good, with their earlier versions,"

    async def _time_range(
        self,
        event: CommandEvent,
        everything: Sequence[Memory],
        window: time_expressions.TimeWindow,
        numbers: dict[str, int],
    ) -> View:
        """Offer what was said since then and, if the words name a range that is over, that range alone as well."""
        until = max(window.end, event.at, key=datetime.timestamp)
        since = TimeRange.of(everything, window.start, until)
        only = TimeRange.of(everything, window.start, window.end)
        shown = tuple(item(memory, numbers[memory.id], event.at.tzinfo) for memory in since.whole[:PAGE])
        title = f"Forget everything since {_moment(window.start)}? "
        title += f"That is {things(len(since.whole))} that I learned and what" if since.whole else "That is what"
        title += " we said since then."
        footer = "Where you had told me the same before, I go on remembering it." if since.parts else ""
        if len(since.whole) > PAGE:
            footer = f"The first {PAGE} are shown. {footer}".strip()
        choices = [("Forget", "stretch", _serialize_range(window.start, until))]
        if window.end.timestamp() < event.at.timestamp():
            label = f"Only until {_moment(window.end)} ({len(only.whole)})"
            choices = [(f"All since then ({len(since.whole)})", *choices[0][1:])]
            choices.append((label, "stretch", _serialize_range(window.start, window.end)))
        return await self._confirm(event, View(title, shown, footer), *choices)

    async def _confirm(self, event: CommandEvent, view: View, *choices: tuple[str, str, list[str]]) -> View:
        tokens = [await self._intents.keep(event.person.key, action, ids, event.at) for _, action, ids in choices]
        buttons = [
            Button(label, str(Decide("forget", token)), danger=True)
            for (label, _, _), token in zip(choices, tokens, strict=True)
        ]
        cancel = Button("Cancel", str(Decide("cancel", tokens[0])))
        return View(view.title, view.items, view.footer, (*buttons, cancel))

    async def wish(self, person: Person, what: str, now: datetime) -> str:
        """Keep the words of a wish until its button is pressed; return the button's token."""
        return await self._intents.keep(person.key, REVIEW, [what], now)

    async def review(self, event: PressEvent, token: str) -> View:
        """Show what the words of a wish would have forgotten, to the person whose it is alone."""
        intent = await self._intents.look(token, event.person.key, event.at)
        if intent is None or intent[0] != REVIEW:
            return STALE
        return await self.propose(CommandEvent(event.person, event.place, "forget", "", event.at), intent[1][0])

    async def act(self, event: PressEvent, token: str, *, cancel: bool) -> View:
        """Do what a button is for, once, and only for the person it was shown to."""
        intent = await self._intents.take(token, event.person.key, event.at)
        if intent is None or intent[0] == REVIEW:
            return STALE
        if cancel:
            return CANCELLED
        action, ids = intent
        user_id = await self._identities.user_id(event.person)
        if action == "everything":
            outcome = await self._rights.forget_everything(user_id)
            return _done("Everything is forgotten", outcome, ", our recent conversations and your settings")
        memories = await self._memory.list(user_id)
        if action == "stretch":
            start, end = (datetime.fromtimestamp(float(seconds), UTC) for seconds in ids)
            outcome = await self._rights.forget_time_range(user_id, TimeRange.of(memories, start, end))
            return _done("Forgotten", outcome, f", and {outcome.entries} entries of recent conversation")
        # The version before this one wrote "these" for memories alone.
        chosen, said, waiting = (ids, [], []) if action == "these" else _parse(ids)
        found = [memory for memory in memories if memory.id in set(chosen)]
        outcome = await self._rights.forget_memories(user_id, found, said, waiting)
        also = f", and {outcome.entries} entries of recent conversation" if said or waiting else ALSO
        return _done("Forgotten", outcome, also)

    async def these(self, user_id: str, memories: Sequence[Memory]) -> View:
        """Forget these memories, and say so."""
        return _done("Forgotten", await self._rights.forget_memories(user_id, memories), ALSO)


def _done(what: str, outcome: Outcome, also: str) -> View:
    if outcome.memories is None:
        return View(f"{what}, but not all of it is erased yet.", footer=LATER, changed=True)
    return View(f"{what}: {things(outcome.memories)} that I remembered{also}.", changed=True)


def _named(everything: Sequence[Memory], what: str) -> list[Memory]:
    """The memory with that number, or those that autocompletion shows as exactly that row."""
    number = what.removeprefix("#")
    if number.isdecimal() and number.isascii():
        index = int(number) if len(number) < 10 else 0
        if 1 <= index <= len(everything):
            return [everything[index - 1]]
    return [memory for memory in everything if row(memory.text, SUGGESTION) == what]


def _without_sources(said: Sequence[StoredMessage], memories: Sequence[Memory]) -> list[StoredMessage]:
    """The messages that taught none of these memories."""
    taught = {source.event_id for memory in memories for source in memory.sources}
    return [message for message in said if message.event_id not in taught]


def _serialize(memories: Sequence[Memory], said: Sequence[StoredMessage]) -> list[str]:
    """What a button will forget, as ids alone: memories, and messages that were said or may still be learned."""
    kinds = [("waiting" if message.waiting else "said", message.event_id) for message in said]
    return [f"{kind} {id_}" for kind, id_ in [*(("memory", memory.id) for memory in memories), *kinds]]


def _parse(ids: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """The memories, messages said, and messages that may still be learned, as serialized by `_serialize`."""
    pairs = [id_.split(" ", 1) for id_ in ids]
    memories, said, waiting = ([pair[1] for pair in pairs if pair[0] == kind] for kind in ("memory", "said", "waiting"))
    return memories, said, waiting


def _quoted(said: Sequence[StoredMessage]) -> str:
    """The beginnings of the newest messages, the newest last."""
    shown = ", ".join(f"“{row(message.text, QUOTED)}”" for message in said[-QUOTES:])
    return f"Of our conversation: {shown}" + (f" and {len(said) - QUOTES} more." if len(said) > QUOTES else ".")


def _these(count: int) -> str:
    return "this" if count == 1 else f"these {count} things"


def _moment(at: datetime) -> str:
    clock = "" if (at.hour, at.minute) == (0, 0) else f" {at:%H:%M}"
    return f"{at:%Y-%m-%d}{clock} ({at.tzname() or 'UTC'})"


def _serialize_range(start: datetime, end: datetime) -> list[str]:
    return [repr(start.timestamp()), repr(end.timestamp())]
