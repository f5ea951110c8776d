"""`forget`: erases nothing by itself. The person is shown what would be forgotten, and decides."""

from collections.abc import Mapping
from typing import Any

from bot.core.tools.toolbox import Kit, Toolbox, schema, text_of
from bot.model import Audience, Result, Tool

NO_WORDS = Result("Say what is to be forgotten.", failed=True)
CONFIDENTIAL = Result(
    "Nothing can be offered below this answer, and nothing was forgotten. Tell them that /forget with a few words does "
    "it.",
    failed=True,
)
_PLAIN = "Nothing is forgotten before you confirm it."
SHOWN = Result(
    "Nothing is forgotten yet. Right after your answer they are shown what would be, with a button for it. Say "
    "in one sentence that they can confirm it there.",
    plain=_PLAIN,
)
OFFERED = Result(
    "Nothing is forgotten yet. Below your answer stands a button, “Review what to forget”, which only they can use: it "
    "shows them alone what would be forgotten, to be confirmed there. Tell them so in one sentence, without repeating "
    "what it is about.",
    plain=_PLAIN,
)


async def _forget(box: Toolbox, arguments: Mapping[str, Any]) -> Result:
    event, what = box.found.event, text_of(arguments, "what")
    if not what:
        return NO_WORDS
    if event.confidential:
        return CONFIDENTIAL
    box.forget.append(what)
    box.unlearned = True  # the wish itself is nothing to remember
    return SHOWN if event.place.audience is Audience.PRIVATE else OFFERED


DESCRIPTION = """\
Lets the person you are talking to have something forgotten. Use it whenever they ask you to forget, delete or no \
longer remember something about them, in whatever words and language. It erases nothing by itself: they are shown what \
matches, and confirm it. Never say that something has been forgotten."""

FORGET = Kit(
    Tool(
        "forget",
        DESCRIPTION,
        schema(
            {
                "what": "The words to look for: only those that what is remembered will hold (such as a name or a "
                'place), in its own language; or "everything"; or a time in English, such as "last week".'
            }
        ),
    ),
    _forget,
)
