"""`/memories`: the list, in pages, and one memory with its actions."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import tzinfo

from bot.actions import SEARCH_WITH_PAGE, Export, Handle, Handling, Page, Search, Switch
from bot.commands.wording import (
    EMPTY,
    FORGET_HINT,
    PAUSED,
    SOURCES,
    WHOLE,
    item,
    row,
    source_items,
    standing,
    things,
)
from bot.model import SHARED_SCOPE, Memory
from bot.views import Button, Option, View

PAGE = 10
LABEL = 80
#: Memories of one message that have buttons of their own, and that are shown.
SINGLED = 5
MENU = 25
CHOOSE = "Choose one to open, edit or forget…"
#: Switches the line below answers that taught something.
HUSH, TELL = "Hide “Memory updated”", "Show “Memory updated”"


def listed(
    everything: Sequence[Memory],
    found: Sequence[Memory],
    search: str,
    page: int,
    zone: tzinfo | None,
    *,
    paused: bool,
    kept: str,
    noticed: bool | None = None,
) -> View:
    """A page of the memories `found` among `everything`, both newest first, for somebody in that time zone.

    `noticed`: whether the person is told below answers what they taught; None if nobody is.
    """
    always = (switch(paused=paused), Button("Export", str(Export())), *notice(noticed))
    state = f"{PAUSED} " if paused else ""
    if not everything:
        title = EMPTY if paused else f"{EMPTY} Talk to me, and I will."
        return View(title, footer=f"{state}{kept}", buttons=always)
    numbers = {memory.id: number for number, memory in enumerate(everything, 1)}
    found = [memory for memory in found if memory.id in numbers]
    if not found:
        title = f"Nothing that I remember about you matches “{row(search, 80)}”."
        return View(title, footer=state.strip(), buttons=(Button("Show all", str(Page())),))
    pages = -(-len(found) // PAGE)
    page = min(max(page, 1), pages)
    shown = found[(page - 1) * PAGE : page * PAGE]
    title = "Memory is paused. " if paused else ""
    title += f"I remember {things(len(everything))} about you"
    match = "matches" if len(found) == 1 else "match"
    title += f"; {len(found)} {match} “{row(search, 80)}”:" if search else ", newest first:"
    where = f"Page {page} of {pages}. " if pages > 1 else ""
    buttons = []
    if len(search) <= SEARCH_WITH_PAGE:
        if page > 1:
            buttons.append(Button("Newer", str(Page(page - 1, search))))
        if page < pages:
            buttons.append(Button("Older", str(Page(page + 1, search))))
    elif pages > 1:
        where = f"{len(found) - PAGE} more match: search with fewer words to page through them. "
    if search:
        buttons.append(Button("Show all", str(Page())))
    elif pages > 1:
        buttons.append(Button("Search", str(Search()), opens_form=True))
    return View(
        title,
        tuple(item(memory, numbers[memory.id], zone) for memory in shown),
        f"{state}{where}{FORGET_HINT} {kept}",
        (*buttons, *always),
        tuple(Option(_label(memory, numbers[memory.id]), str(Handle("open", memory.id, search))) for memory in shown),
        CHOOSE,
    )


def switch(*, paused: bool) -> Button:
    """The button that pauses memory, or resumes it."""
    return Button("Resume memory", str(Switch("resume"))) if paused else Button("Pause memory", str(Switch("pause")))


def notice(noticed: bool | None) -> tuple[Button, ...]:
    """The button that hushes the line below answers that taught something, or has it told again."""
    if noticed is None:
        return ()
    return (Button(HUSH, str(Switch("hush"))) if noticed else Button(TELL, str(Switch("tell"))),)


def learned(
    everything: Sequence[Memory], event_id: str, zone: tzinfo | None, *, noticed: bool | None = None
) -> View | None:
    """What a message has taught, each with its actions, for somebody in that time zone; None if nothing is left."""
    numbered = list(enumerate(everything, 1))
    found = [
        (number, memory) for number, memory in numbered if any(source.event_id == event_id for source in memory.sources)
    ]
    if not found:
        return None
    if len(found) == 1:
        number, memory = found[0]
        view = detail(memory, number, "", zone)
        return replace(view, buttons=(*view.buttons, *notice(noticed)))
    buttons = []
    for number, memory in found[:SINGLED]:
        buttons.append(Button(f"Edit {number}", str(Handle("edit", memory.id)), opens_form=True))
        buttons.append(Button(f"Forget {number}", str(Handle("drop", memory.id)), danger=True))
    return View(
        f"I learned {things(len(found))} from that message:",
        tuple(item(memory, number, zone) for number, memory in found[:MENU]),
        FORGET_HINT,
        (*buttons, Button("Show memories", str(Page())), *notice(noticed)),
        tuple(Option(_label(memory, number), str(Handle("open", memory.id))) for number, memory in found[:MENU]),
        CHOOSE,
    )


def _label(memory: Memory, number: int) -> str:
    return row(f"{number}. {memory.text}", LABEL)


def page_of(found: Sequence[Memory], memory_id: str) -> int:
    """The page that shows a memory; the first if it is gone."""
    place = next((place for place, memory in enumerate(found) if memory.id == memory_id), 0)
    return place // PAGE + 1


def detail(memory: Memory, number: int, search: str, zone: tzinfo | None, done: str = "") -> View:
    """One memory in full, with the messages that taught it and its actions, for somebody in that time zone.

    `done` says what was just done.
    """

    def button(label: str, kind: Handling, *, danger: bool = False, opens_form: bool = False) -> Button:
        return Button(label, str(Handle(kind, memory.id, search)), danger, opens_form)

    wide = memory.scope == SHARED_SCOPE
    share = button("Keep to where I learned it", "close") if wide else button("May be used in channels", "share")
    buttons = (
        button("Edit", "edit", opens_form=True),
        button("Forget", "drop", danger=True),
        share,
        button("Back", "back"),
    )
    footer = " ".join(part for part in (done, standing(memory, zone), *_left_out(memory)) if part)
    return View(f"{number}. {_whole(memory.text)}", source_items(memory, zone), footer, buttons)


def _left_out(memory: Memory) -> list[str]:
    said = []
    if len(memory.text) > WHOLE:
        said.append("It is too long to be shown whole here: Export has all of it.")
    if (count := len(memory.sources)) > SOURCES:
        said.append(f"Of the {count} messages that told me, the last {SOURCES} are shown; Export has all of them.")
    return said


def _whole(text: str) -> str:
    return text if len(text) <= WHOLE else text[: WHOLE - 1] + "…"
