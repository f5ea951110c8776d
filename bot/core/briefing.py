"""What the model is told before the last message: when, where and by whom it is asked, and what it remembers.

Every line of it is the bot's own but for the memories' lines, which begin with a dash and a date. Texts from outside
stand on one line each, so that none can forge another.
"""

from collections.abc import Sequence

from bot.core import setting
from bot.core.rules import BEGINS, ENDS
from bot.events import MessageEvent
from bot.model import Held, Memory, Reach
from bot.text.clean import one_line

KNOWN = "What you remember of them:"
MORE = "More is kept to private conversations: here you may say that there is more, and never what."

_UNREAD = {
    Reach.UNASKED: "None of what you remember of them is shown with this message.",
    Reach.PAUSED: "They have paused their memory: you remember nothing of them now, and learn nothing, until they "
    "resume it with /memories.",
    Reach.ERASING: "Their memories are being erased: none can be shown until that is done.",
    Reach.OFF: "Whoever runs you has switched memory off: you remember nothing from earlier conversations and learn "
    "nothing from this one.",
    Reach.UNREACHABLE: "Your memory is out of reach at the moment: you can't tell what you remember of them. What they "
    "say now is learned once it is back.",
}

CHOSEN = """\
They have chosen the message that is quoted as forwarded, whoever wrote it, and ask you about it. Where they ask \
nothing, say briefly what it says and what it means, in its own language. They alone see your answer, and nothing of \
this is learned or kept."""


OFF_RECORD = """\
They keep this conversation off the record: nothing that they say here is learned, until they use /private again. It \
is part of this conversation as ever."""

UNLEARNED = """\
They want this message off the record: nothing is learned from it, which is said below your answer without you. It is \
part of this conversation as ever."""


def memory_line(memory: Memory) -> str:
    """One memory: its date, then its text."""
    return f"- [{memory.learned_at:%Y-%m-%d}] {one_line(memory.text)}"


def text(
    event: MessageEvent,
    memories: Sequence[Memory],
    speaker: str = "",
    reach: Reach = Reach.READ,
    held: Held | None = None,
) -> str:
    """The briefing. `speaker` says which of the earlier messages are the person's, if others take part.

    `reach` and `held` say what came of looking for memories, and how many there are to choose from.
    """
    lines = [BEGINS, setting.sentences(event)]
    if speaker:
        lines.append(speaker)
    if event.confidential:
        lines.append(CHOSEN)
    elif event.off_record:
        lines.append(OFF_RECORD if event.kept_off_record else UNLEARNED)
    lines += _remembered(len(memories), reach, held)
    if memories:
        lines += [KNOWN, *(memory_line(memory) for memory in memories)]
    return "\n".join([*lines, ENDS])


def _remembered(shown: int, reach: Reach, held: Held | None) -> list[str]:
    """How much of what is remembered is shown; where that isn't known, nothing is said."""
    if reach is not Reach.READ:
        return [_UNREAD[reach]]
    if held is None:
        return []
    here = max(held.here, shown)  # one may have been learned meanwhile
    if here:
        said = f"Memories of them that may be used here, shown: {shown} of {here}."
    elif held.elsewhere:
        said = "You remember nothing of them that may be used here."
    else:
        said = "You remember nothing of them yet: they are new to you, or have had it forgotten."
    return [said, MORE] if held.elsewhere else [said]
