"""What the model is told before the last message: when, where and by whom it is asked, and what it remembers.

Every line of it is the bot's own but for the memories' lines, which begin with a dash and a date. Texts from outside
stand on one line each, so that none can forge another.
"""

from collections.abc import Sequence

from bot.core import setting
from bot.core.rules import BEGINS, ENDS
from bot.events import MessageEvent
from bot.model import Memory
from bot.text.clean import one_line

KNOWN = "What you remember of them:"

CHOSEN = """\
They have chosen the message that is quoted as forwarded, whoever wrote it, and ask you about it. Where they ask \
nothing, say briefly what it says and what it means, in its own language. They alone see your answer."""


def memory_line(memory: Memory) -> str:
    """One memory: its date, then its text."""
    return f"- [{memory.learned_at:%Y-%m-%d}] {one_line(memory.text)}"


def text(event: MessageEvent, memories: Sequence[Memory], speaker: str = "") -> str:
    """The briefing. `speaker` says which of the earlier messages are the person's, if others take part."""
    lines = [BEGINS, setting.sentences(event)]
    if speaker:
        lines.append(speaker)
    if event.confidential:
        lines.append(CHOSEN)
    if memories:
        lines += [KNOWN, *(memory_line(memory) for memory in memories)]
    return "\n".join([*lines, ENDS])
