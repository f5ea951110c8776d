"""Runs commands, button presses and forms, each about the caller alone."""

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Protocol, TypeVar

from cachetools import FIFOCache

from bot import actions
from bot.actions import Decide, Export, Handle, Learned, Page, Record, Review, Search, Switch
from bot.commands import listing
from bot.commands.forgetting import SUGGESTION, Forgetting
from bot.commands.linking import Linking
from bot.commands.private import Private, standing
from bot.commands.registry import BY_NAME, HOME
from bot.commands.wording import ARGUMENT, GONE, HUSHED, OFF, PAUSED, STALE, TOLD, UNAVAILABLE, UNTAUGHT, kept, row
from bot.core.asides import REMEMBERED
from bot.core.identity import Identities
from bot.events import CommandEvent, PressEvent, SubmitEvent
from bot.logs import describe
from bot.model import Memory, Person
from bot.ports import MemoryStore, Pauses, Preferences
from bot.privacy.rights import Rights
from bot.privacy.time_range import TimeRange
from bot.text import keywords, time_expressions
from bot.text.clean import one_line
from bot.views import Button, File, Form, View

log = logging.getLogger(__name__)

SUGGESTIONS = 25
#: Characters of an edited memory.
EDITED = 2000
#: Outcomes (sentences with counts) kept to answer a second press of the same button.
OUTCOMES = 1000
#: Characters that the search form accepts.
SOUGHT = 100
RESUMED = "Memory is on again: I use what I remember about you, and learn from what you tell me from now on."
PAUSING = "What you told me before stays, and I still follow the conversation that we are in."
TOO_LONG = (
    f"It is too long to be edited here ({EDITED:,} characters at most). Forget it, and tell me anew what matters."
)


class Act(Protocol):
    """What a button with a token does."""

    async def __call__(self, event: PressEvent, token: str, *, cancel: bool) -> View | None:
        """Take the token and do it, or (`cancel`) don't; None if there is no such token."""
        ...


class Commands:
    """Never raises: if the memory fails, the answer says so. Always about the person who calls, presses or submits."""

    def __init__(
        self,
        pauses: Pauses,
        memory: MemoryStore,
        identities: Identities,
        rights: Rights,
        forgetting: Forgetting,
        linking: Linking,
        private: Private,
        *,
        kept: str = kept(),
        remember: bool = True,
        preferences: Preferences | None = None,
    ) -> None:
        """`kept` is the sentence that says what is kept, where and for how long. Without `remember`, memory is off.

        `preferences` say who is told below answers what they taught; None if nobody is.
        """
        self._pauses = pauses
        self._memory = memory
        self._identities = identities
        self._rights = rights
        self.kept: str = kept
        self._remember = remember
        self._preferences = preferences
        self.forgetting: Forgetting = forgetting
        self.linking: Linking = linking
        self.private: Private = private
        self._outcomes: FIFOCache[tuple[str, str], View] = FIFOCache(OUTCOMES)

    async def run(self, event: CommandEvent) -> View:
        """Answer a command of the registry."""
        words = one_line(event.argument[:ARGUMENT])

        async def answer() -> View:
            if event.name == HOME:
                return await self._home(event)
            if command := BY_NAME.get(event.name):
                return await command.run(self, event, words)
            *names, last = (f"/{name}" for name in BY_NAME)
            return View(f"I don't know /{event.name[:20]}. I know {', '.join(names)} and {last}.")

        return await _or_unavailable(f"/{event.name[:20]}", answer)

    async def list_memories(self, event: CommandEvent, search: str) -> View:
        """`/memories`."""
        view = await self._list(event.person, search, 1, event.at)
        kept = self._remember and (await self._identities.account(event.person, event.place)).off_record
        return replace(view, footer=f"{standing(event.place)} {view.footer}") if kept else view

    async def _home(self, event: CommandEvent) -> View:
        """The list, and that they are remembered: whoever opens their page may never have asked anything."""
        view = await self._list(event.person, "", 1, event.at)
        account = await self._identities.account(event.person)
        told = self._remember and not account.paused
        return replace(view, footer=f"{REMEMBERED} {view.footer}") if told else view

    async def press(self, event: PressEvent) -> View:
        """Act on a button or menu choice, on the memories of the person who pressed it."""

        async def answer() -> View:
            match actions.parse(event.action):
                case Page(number, search):
                    return await self._list(event.person, search, number, event.at)
                case Switch("hush" | "tell" as kind):
                    return await self._notice(event.person, wanted=kind == "tell")
                case Switch(kind):
                    return await self._pause(event.person, paused=kind == "pause")
                case Learned(event_id):
                    return await self._learned(event, event_id)
                case Review(token):
                    return await self.forgetting.review(event, token)
                case Record(kind):
                    return await self.private.press(event, kept=kind == "off")
                case Export():
                    return await self._export(event)
                case Decide("cancel", token):
                    return await self.forgetting.act(event, token, cancel=True)
                case Decide("forget", token):
                    return await self._once(event, token, self.forgetting.act)
                case Decide("join", token):
                    return await self._once(event, token, self.linking.act)
                case Decide("part", token):
                    return await self.linking.act(event, token, cancel=True) or STALE
                case Handle(kind) as action if kind != "edit":
                    return await self._handle(event, action)
            return STALE

        return await _or_unavailable("a button", answer)

    async def _once(self, event: PressEvent, token: str, act: Act) -> View:
        """Do what a button is for; a second press (a double click) gets the same answer as the first."""
        view = await act(event, token, cancel=False) or STALE
        pressed = (event.person.key, token)
        if view == STALE:
            return self._outcomes.get(pressed, STALE)
        self._outcomes[pressed] = view
        return view

    async def open_form(self, event: PressEvent) -> Form | View:
        """A button's form: for a memory's text, to be edited by its owner, or for words to search for."""

        async def answer() -> Form | View:
            match actions.parse(event.action):
                case Search():
                    return Form("Search memories", "Words that they hold", "", event.action, SOUGHT, send="Search")
                case Handle("edit", memory_id, search):
                    _, number, memory = await self._find(event.person, memory_id)
                    if memory is None:
                        return GONE
                    if len(memory.text) > EDITED:
                        return listing.detail(memory, number, search, event.at.tzinfo, TOO_LONG)
                    return Form("Edit a memory", "What should I remember?", memory.text, event.action, EDITED)
            return STALE

        return await _or_unavailable("a form", answer)

    async def submit(self, event: SubmitEvent) -> View:
        """Replace a memory's text with the form's, or search for the form's words."""
        text = event.text.replace("\0", "").strip()

        async def answer() -> View:
            match actions.parse(event.action):
                case Search():
                    return await self._list(event.person, one_line(text), 1, event.at)
                case Handle("edit") as action:
                    return await self._edit(event, action, text)
            return STALE

        return await _or_unavailable("a form", answer)

    async def _edit(self, event: SubmitEvent, action: Handle, text: str) -> View:
        user_id, number, memory = await self._find(event.person, action.memory_id)
        if memory is None:
            return GONE

        def detail(memory: Memory, done: str) -> View:
            return listing.detail(memory, number, action.search, event.at.tzinfo, done)

        if not text or text == memory.text:
            why = "" if text else " To have it forgotten, press Forget."
            return detail(memory, f"Nothing was changed.{why}")
        if len(text) > EDITED:
            return detail(memory, f"Nothing was changed: {EDITED:,} characters at most.")
        changed = await self._memory.edit(user_id, action.memory_id, text, event.at)
        if changed is None:
            return GONE
        return replace(detail(changed, "Changed."), changed=True)

    async def suggest(self, event: CommandEvent) -> list[str]:
        """Up to 25 of the caller's memories that contain what is typed so far, at most 100 characters each."""
        try:
            user_id = await self._identities.user_id(event.person)
            typed = _folded(event.argument[:ARGUMENT])
            memories = await self._memory.list(user_id)
        except Exception as exc:  # noqa: BLE001 - without suggestions, the command still works
            log.warning("no suggestions: %s", describe(exc))
            return []
        texts = (row(memory.text, SUGGESTION) for memory in memories)
        return [text for text in dict.fromkeys(texts) if typed in _folded(text)][:SUGGESTIONS]

    async def _list(self, person: Person, search: str, page: int, at: datetime, around: str | None = None) -> View:
        """A page of the list as of `at`, in the person's time zone; with `around`, the one that shows that memory.

        If no memory contains the words of `search` and they name a range of time, what is from that alone.
        """
        if not self._remember:
            return OFF
        account = await self._identities.account(person)
        everything = await self._memory.list(account.user_id)
        found = await self._memory.list(account.user_id, search) if search and everything else everything
        if not found and (window := time_expressions.alone(search, at)):
            whole = TimeRange.of(everything, window.start, window.end).whole
            found = [memory for memory in everything if memory in whole]
        if around is not None:
            page = listing.page_of(found, around)
        noticed = await self._noticed(account.user_id)
        about = everything, found, search, page, at.tzinfo
        return listing.listed(*about, paused=account.paused, kept=self.kept, noticed=noticed)

    async def _noticed(self, user_id: str) -> bool | None:
        return None if self._preferences is None else await self._preferences.noticed(user_id)

    async def _learned(self, event: PressEvent, event_id: str) -> View:
        """What a message has taught the person who pressed the button below its answer."""
        if not self._remember:
            return OFF
        user_id = await self._identities.user_id(event.person)
        everything = await self._memory.list(user_id)
        view = listing.learned(everything, event_id, event.at.tzinfo, noticed=await self._noticed(user_id))
        return view or UNTAUGHT

    async def _notice(self, person: Person, *, wanted: bool) -> View:
        if self._preferences is None:
            return STALE
        user_id = await self._identities.user_id(person)
        await self._preferences.set_noticed(user_id, wanted)
        buttons = (*listing.notice(wanted), Button("Back", str(Page())))
        return View(TOLD if wanted else HUSHED, buttons=buttons, changed=True)

    async def _find(self, person: Person, memory_id: str) -> tuple[str, int, Memory | None]:
        """The caller's mem0 user id, and the memory with its number; None if it isn't theirs."""
        user_id = await self._identities.user_id(person)
        for number, memory in enumerate(await self._memory.list(user_id), 1):
            if memory.id == memory_id:
                return user_id, number, memory
        return user_id, 0, None

    async def _handle(self, event: PressEvent, action: Handle) -> View:
        memory_id, search, zone = action.memory_id, action.search, event.at.tzinfo
        if action.kind == "back":
            return await self._list(event.person, search, 1, event.at, around=memory_id)
        user_id, number, memory = await self._find(event.person, memory_id)
        if memory is None:
            return GONE
        if action.kind == "open":
            return listing.detail(memory, number, search, zone)
        if action.kind == "drop":
            page = listing.page_of(await self._memory.list(user_id, search), memory_id)
            view = await self.forgetting.these(user_id, [memory])
            return replace(view, buttons=(Button("Back", str(Page(page, search))),), changed=True)
        changed = await self._memory.share(user_id, memory_id, shared=action.kind == "share")
        if changed is None:
            return GONE
        return replace(listing.detail(changed, number, search, zone, "Done."), changed=True)

    async def _pause(self, person: Person, *, paused: bool) -> View:
        user_id = await self._identities.user_id(person)
        await self._pauses.set(user_id, paused)
        switch = listing.switch(paused=paused)
        footer = PAUSING if paused else ""
        buttons = (switch, Button("Back", str(Page())))
        return View(PAUSED if paused else RESUMED, footer=footer, buttons=buttons, changed=True)

    async def _export(self, event: PressEvent) -> View:
        user_id = await self._identities.user_id(event.person)
        everything = await self._rights.export(user_id, event.at)
        content = json.dumps(everything, ensure_ascii=False, indent=2).encode("utf-8", "replace")
        file = File(f"memories-{event.at:%Y-%m-%d}.json", content)
        title = "Everything that I keep about you, as a file: memories, recent conversation, linked accounts, settings."
        return View(title, buttons=(Button("Back", str(Page())),), file=file)


Shown = TypeVar("Shown", bound=Form | View)


async def _or_unavailable(what: str, answer: Callable[[], Awaitable[Shown]]) -> Shown | View:
    """The answer, or UNAVAILABLE if it fails."""
    try:
        return await answer()
    except Exception as exc:  # noqa: BLE001 - the command boundary: logged without text, told to the person
        log.error("%s failed: %s", what, describe(exc))
        return UNAVAILABLE


def _folded(text: str) -> str:
    """A short text in the form compared for suggestions: case, accents and white space normalised."""
    return keywords.bare(keywords.fold(one_line(text)))
