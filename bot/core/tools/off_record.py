"""`keep_off_record`: this message, or the conversation until the person says otherwise, is kept out of memory."""

from collections.abc import Mapping
from typing import Any

from bot.core.tools.toolbox import OFF, Kit, Toolbox, text_of
from bot.model import Result, Tool

MESSAGE = Result(
    "Done: nothing is learned from this message. A line below your answer says so, so you needn't. It is part of this "
    "conversation as ever."
)
CONVERSATION = Result(
    "Done: nothing that they say in this conversation is learned from now on, this message included, until they say "
    "otherwise or use /private. Say so in one sentence. What they told you before stays."
)
ENDED = Result(
    "Done: what they say in this conversation from now on is learned again. What they said off the record stays "
    "unlearned. Say so in one sentence."
)
NOWHERE = Result("Nothing of this question is recorded or learned anyway.")
UNCLEAR = Result("Say what to keep off the record: message, conversation or neither.", failed=True)


async def _keep(box: Toolbox, arguments: Mapping[str, Any]) -> Result:
    event, kept = box.found.event, box.shop.off_record
    if event.confidential:
        return NOWHERE
    if not box.shop.remember or kept is None:
        return OFF
    match text_of(arguments, "what"):
        case "message":
            box.off_record = True
            return MESSAGE
        case "conversation":
            box.off_record = True
            await kept.begin(event.person.key, event.place)
            return CONVERSATION
        case "neither":
            await kept.end(event.person.key, event.place)
            return ENDED
    return UNCLEAR


DESCRIPTION = """\
Keeps what the person you are talking to says off the record: nothing is learned from it. Use it whenever they ask \
you, in whatever words and language, not to remember, save or note what they say ("don't remember this", "off the \
record", "this stays between us"). With message that is this message alone; with conversation it is all that they say \
in this conversation, from this message on until they say otherwise; with neither they have said otherwise, and what \
they say is learned again. Don't use it to forget what they told you earlier."""

OFF_RECORD = Kit(
    Tool(
        "keep_off_record",
        DESCRIPTION,
        {
            "type": "object",
            "properties": {
                "what": {
                    "type": "string",
                    "enum": ["message", "conversation", "neither"],
                    "description": "What is to be off the record.",
                }
            },
            "required": ["what"],
            "additionalProperties": False,
        },
    ),
    _keep,
)
