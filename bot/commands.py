"""`/memories` and `/forget` as views that every platform can show: about the caller alone, for the caller alone."""

import logging
from collections.abc import Sequence

from bot.events import SHARED_SCOPE, Button, CommandEvent, Item, Memory, Person, PressEvent, View
from bot.identity import Identities
from bot.logs import describe
from bot.ports import Journal, MemoryStore

log = logging.getLogger(__name__)

PAGE = 10
#: What one row may show of a memory, in characters; the whole text is kept.
ROW = 300
#: An action string may hold 90 characters: `page:<number>:` and so much of a search.
SEARCH_IN_ACTION = 70
SUGGESTIONS = 25
SUGGESTION = 100

EMPTY = View("I don't remember anything about you yet. Talk to me, and I will.")
UNAVAILABLE = View("I can't reach my memory right now. Nothing was changed; please try again in a little while.")
STALE = View("That button is no longer valid, and nothing was changed. Please run the command again.")
CANCELLED = View("Nothing was forgotten.")
FORGET_HINT = "Forget one with /forget and its number or its words; /forget alone forgets everything."


class Commands:
    """Runs commands and presses. Never raises: a failing memory is told in a sentence."""

    def __init__(self, journal: Journal, memory: MemoryStore, identities: Identities) -> None:
        self._journal = journal
        self._memory = memory
        self._identities = identities

    async def run(self, event: CommandEvent) -> View:
        """Answer `/memories [search]` or `/forget [what]`."""
        argument = " ".join(event.argument.split())
        try:
            if event.name == "memories":
                return await self._list(event.person, argument, page=1)
            if event.name == "forget":
                return await self._propose(event, argument)
        except Exception as exc:  # noqa: BLE001 - the command boundary: logged without text, told to the person
            log.error("/%s failed: %s", event.name, describe(exc))
            return UNAVAILABLE
        return View(f"I don't know /{event.name[:20]}. I know /memories and /forget.")

    async def press(self, event: PressEvent) -> View:
        """Act on a button. What it does was written down for its owner: another's click finds nothing."""
        kind, _, rest = event.action.partition(":")
        try:
            if kind == "page":
                number, _, search = rest.partition(":")
                return await self._list(event.person, search, page=int(number) if number.isdigit() else 1)
            if kind in ("forget", "cancel"):
                return await self._act(event, kind, rest)
        except Exception as exc:  # noqa: BLE001 - the command boundary: logged without text, told to the person
            log.error("a button failed: %s", describe(exc))
            return UNAVAILABLE
        return STALE

    async def suggest(self, event: CommandEvent) -> list[str]:
        """Up to 25 of the caller's memories whose words match what is typed so far, at most 100 characters each."""
        try:
            user_id = await self._identities.user_id(event.person)
            typed = " ".join(event.argument.split()).casefold()
            memories = await self._memory.list(user_id)
        except Exception as exc:  # noqa: BLE001 - a suggestion that fails is an empty one
            log.warning("no suggestions: %s", describe(exc))
            return []
        texts = (_row(memory.text, SUGGESTION) for memory in memories)
        return [text for text in dict.fromkeys(texts) if typed in text.casefold()][:SUGGESTIONS]

    async def _list(self, person: Person, search: str, *, page: int) -> View:
        user_id = await self._identities.user_id(person)
        everything = await self._memory.list(user_id)
        if not everything:
            return EMPTY
        numbers = {memory.id: number for number, memory in enumerate(everything, 1)}
        found = await self._memory.list(user_id, search) if search else everything
        found = [memory for memory in found if memory.id in numbers]
        if not found:
            return View(f"Nothing that I remember about you matches “{_row(search, 80)}”.")
        pages = -(-len(found) // PAGE)
        page = min(max(page, 1), pages)
        shown = found[(page - 1) * PAGE : page * PAGE]
        title = f"I remember {_things(len(everything))} about you"
        title += f"; {len(found)} match “{_row(search, 80)}”:" if search else ", newest first:"
        footer = FORGET_HINT if pages == 1 else f"Page {page} of {pages}. {FORGET_HINT}"
        buttons = []
        if len(search) <= SEARCH_IN_ACTION:
            if page > 1:
                buttons.append(Button("Newer", f"page:{page - 1}:{search}"))
            if page < pages:
                buttons.append(Button("Older", f"page:{page + 1}:{search}"))
        elif pages > 1:
            footer = f"{len(found) - PAGE} more match: search with fewer words to page through them. {FORGET_HINT}"
        return View(title, tuple(_item(memory, numbers[memory.id]) for memory in shown), footer, tuple(buttons))

    async def _propose(self, event: CommandEvent, what: str) -> View:
        user_id = await self._identities.user_id(event.person)
        everything = await self._memory.list(user_id)
        if not what:
            return await self._confirm(event, "everything", [], _everything(len(everything)), "Forget everything")
        numbers = {memory.id: number for number, memory in enumerate(everything, 1)}
        found = await self._matching(user_id, everything, what)
        if not found:
            return View(f"Nothing that I remember about you matches “{_row(what, 80)}”. /memories shows what there is.")
        shown = tuple(_item(memory, numbers[memory.id]) for memory in found[:PAGE])
        footer = "" if len(found) <= PAGE else f"… and {len(found) - PAGE} more that match."
        view = View(f"Forget {'this' if len(found) == 1 else f'these {len(found)}'}?", shown, footer)
        return await self._confirm(event, "these", [memory.id for memory in found], view, "Forget")

    async def _matching(self, user_id: str, everything: Sequence[Memory], what: str) -> list[Memory]:
        number = what.removeprefix("#")
        if number.isdecimal() and number.isascii():
            index = int(number) if len(number) < 10 else 0
            if 1 <= index <= len(everything):
                return [everything[index - 1]]
        # Autocompletion hands back a row as it was shown: that very memory is meant, not all that share its words.
        if same := [memory for memory in everything if _row(memory.text, SUGGESTION) == what]:
            return same
        known = {memory.id for memory in everything}
        return [memory for memory in await self._memory.list(user_id, what) if memory.id in known]

    async def _confirm(self, event: CommandEvent, action: str, ids: list[str], view: View, label: str) -> View:
        token = await self._journal.keep_intent(event.person.key, action, ids, event.at)
        buttons = (Button(label, f"forget:{token}", danger=True), Button("Cancel", f"cancel:{token}"))
        return View(view.title, view.items, view.footer, buttons)

    async def _act(self, event: PressEvent, kind: str, token: str) -> View:
        intent = await self._journal.take_intent(token, event.person.key, event.at)
        if intent is None:
            return STALE
        if kind == "cancel":
            return CANCELLED
        action, ids = intent
        user_id = await self._identities.user_id(event.person)
        if action == "everything":
            await self._journal.forget_raw(user_id, [event.person.key])
            count = await self._memory.forget_all(user_id)
            return View(f"Everything is forgotten: {_things(count)} that I remembered, and our recent conversations.")
        # What was said goes with what was learned from it: a turn kept as context would still tell it.
        sources = [
            source.event_id
            for memory in await self._memory.list(user_id)
            if memory.id in ids
            for source in memory.sources
        ]
        count = await self._memory.forget(user_id, ids)
        await self._journal.forget_events(user_id, sources)
        return View(f"Forgotten: {_things(count)}, and the messages that told me.")


def _things(count: int) -> str:
    return "1 thing" if count == 1 else f"{count} things"


def _everything(count: int) -> View:
    return View(
        f"Forget everything? I remember {_things(count)} about you. "
        "They go for good, and so do our recent conversations."
    )


def _row(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def _item(memory: Memory, number: int) -> Item:
    source = memory.sources[0] if memory.sources else None
    where = source.place if source else ""
    marks = [f"{memory.learned_at:%Y-%m-%d}", where]
    if memory.scope == SHARED_SCOPE:
        marks.append("may be used in channels")
    if memory.superseded_by:
        marks.append("earlier, no longer used")
    if memory.edited_at:
        marks.append("edited")
    note = ", ".join(mark for mark in marks if mark)
    return Item(number, _row(memory.text, ROW), note, source.link if source else "")
