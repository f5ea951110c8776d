"""Builds one request to the chat model from memories, recent turns and the message.

It is laid out for the prompt cache: what is always the same first, then the conversation, which is only appended to,
and what changes with every message last.
"""

import dataclasses
from collections.abc import Sequence

from bot.core import briefing, rules
from bot.core import nearby as around
from bot.core.conversation import Speakers, fitting
from bot.events import MessageEvent
from bot.files.values import Block, File, Unopened
from bot.model import Held, Memory, Nearby, Prompt, Reach, Replied, Tool, Turn
from bot.text.clean import quote

#: Why a file isn't shown in a request that is sent again without it.
REFUSED = "was refused together with this request"

#: Characters quoted of the message replied to: enough to recognise it.
QUOTED = 2_000
#: Characters that recent turns may take: room for a long conversation, far below any model's context window.
TURNS_BUDGET = 60_000


#: What a bare mention says.
BARE = "(They mention you, without a word of their own.)"


def message_text(event: MessageEvent) -> str:
    """The message as the model reads it: its text, what it forwards, and the names of files."""
    parts = [event.text] if event.text else []
    parts += [f"(Forwarded, in somebody else's words:)\n{quote(text)}" for text in event.forwarded]
    if event.attachments:
        parts.append(f"(Attached: {', '.join(file.quoted_name for file in event.attachments)})")
    for whence, files in (
        ("With the message replied to", [file for file in event.quoted_files if file.message]),
        ("Forwarded", [file for file in event.quoted_files if not file.message]),
    ):
        if files:
            parts.append(f"({whence}: {', '.join(file.quoted_name for file in files)})")
    return "\n\n".join(parts)


def _unopened(files: Sequence[File]) -> list[str]:
    """Which files aren't shown, and why."""
    return [f"({file.name} is not shown to you: it {file.reason}.)" for file in files if isinstance(file, Unopened)]


def _asked(event: MessageEvent, last: Turn | None, replied: Replied | None) -> str:
    """The message, preceded by a quotation of the one it replies to, unless that is the last turn."""
    turn = replied.turn if replied else None
    text, mine = (turn.text, turn.author == "assistant") if turn else (event.quoted, None)
    if not text or (turn is not None and turn == last):
        return message_text(event)
    whose = {True: "your earlier message", False: "their own earlier message", None: "an earlier message"}[mine]
    if len(text) > QUOTED:
        text = f"{text[:QUOTED]}…"
    return f"(In reply to {whose}:)\n{quote(text)}\n\n{message_text(event)}"


def quoting(event: MessageEvent, replied: Replied | None) -> str:
    """A message's own text, preceded by a quotation of the one it replies to."""
    return _asked(dataclasses.replace(event, attachments=(), forwarded=(), quoted_files=()), None, replied)


def _opened_thread(event: MessageEvent) -> bool:
    """Whether it replies to the message that its thread was started from."""
    above = (event.reply_to or "").rpartition(":")[2]
    return bool(above) and above == event.place.thread


def build(
    persona: str,
    event: MessageEvent,
    memories: Sequence[Memory],
    turns: Sequence[Turn],
    replied: Replied | None = None,
    room: int = TURNS_BUDGET,
    nearby: Sequence[Nearby] = (),
    files: Sequence[File] = (),
    tools: Sequence[Tool] = (),
    reach: Reach = Reach.READ,
    held: Held | None = None,
) -> Prompt:
    """One request: persona and rules in `system`; recent turns, oldest first; and the message after its briefing.

    What stands around the message (`nearby`) is quoted right before it. `reach` and `held` say what came of looking for
    memories, and how many there are to choose from.

    Turns that don't fit into `room` characters are dropped, oldest first; the first message is always a person's. A
    thread begins with the exchange that it was started from; any other reply quotes what it replies to.
    """
    if replied is not None and _opened_thread(event):
        above = [turn for turn in (replied.asked, replied.answered) if turn is not None and turn not in turns]
        turns, replied = [*above, *turns], None
        event = dataclasses.replace(event, quoted="")
    kept = fitting(turns, room)
    speakers = Speakers(kept, event.person, event.place)
    if any(each.above for each in nearby):  # it is quoted there already
        replied, event = None, dataclasses.replace(event, quoted="")
    asked = _asked(event, kept[-1] if kept else None, replied)
    if nearby:
        asked = f"{around.block(nearby, event.person.key, event.at.tzinfo)}\n\n{asked or BARE}"
    asked = "\n\n".join([asked, *_unopened(files)])
    messages = (*(speakers.message(turn) for turn in kept), ("user", asked))
    memories = [dataclasses.replace(each, learned_at=each.learned_at.astimezone(event.at.tzinfo)) for each in memories]
    told = briefing.text(event, memories, speakers.sentence, reach, held)
    shown = tuple(file for file in files if isinstance(file, Block))
    written = rules.system(persona, rules.TOOLS) if tools else rules.system(persona)
    parts = written, messages, tuple(memories), bool(nearby), shown, told
    made = Prompt(*parts, off_record=event.off_record)
    return dataclasses.replace(made, tools=tuple(tools), toolless=rules.system(persona)) if tools else made


def ladder(
    persona: str,
    event: MessageEvent,
    memories: Sequence[Memory],
    turns: Sequence[Turn],
    replied: Replied | None = None,
    room: int = TURNS_BUDGET,
    nearby: Sequence[Nearby] = (),
    files: Sequence[File] = (),
    tools: Sequence[Tool] = (),
    reach: Reach = Reach.READ,
    held: Held | None = None,
) -> tuple[Prompt, ...]:
    """The request, then smaller ones: without files, what stands around it, earlier turns, and at last memories.

    For a model that refuses the first: it may object to a file, to what others say, to something said earlier, or to a
    memory.
    """
    alone = dataclasses.replace(event, quoted="")
    none = [file if isinstance(file, Unopened) else Unopened(file.name, REFUSED) for file in files]
    told = tools, reach, held
    unread = tools, Reach.UNASKED if reach is Reach.READ else reach
    rungs = [build(persona, event, memories, turns, replied, room, nearby, files, *told)]
    for rung in (
        build(persona, event, memories, turns, replied, room, nearby, none, *told),
        build(persona, event, memories, turns, replied, room, (), none, *told),
        build(persona, alone, memories, (), None, room, (), none, *told),
        *([build(persona, alone, (), (), None, room, (), none, *unread)] if memories else []),
    ):
        if rung != rungs[-1]:
            rungs.append(rung)
    return tuple(rungs)
