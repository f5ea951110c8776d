"""A wish to have something forgotten, in plain words: it is shown what would be, and nothing is forgotten before."""

from dataclasses import replace
from typing import Any

import pytest

from bot.commands.offers import REVIEW_LABEL
from bot.core.identity import Identities
from bot.core.learning import Learner
from bot.core.tools.forget import CONFIDENTIAL, NO_WORDS, OFFERED, SHOWN
from bot.events import MessageEvent
from bot.model import Asked, Call
from tests.makers import ANN, DM, GENERAL, memory, message
from tests.parts import make_bot
from tests.stub_journal import StubJournal
from tests.stubs import StubChat, StubMemory, StubReplyHandle


class Talk:
    """One answer during which the tool is called with this input."""

    def __init__(self, **arguments: Any) -> None:
        self.journal, self.memory, self.reply = StubJournal(), StubMemory(), StubReplyHandle()
        self.memory.of[ANN.key] = [memory("Lives in Porto", number=1), memory("Likes tea", number=2)]
        self.chat = StubChat([Asked((Call("c1", "forget", arguments),))], ["See below."])
        self.learner = Learner(self.journal.outbox, self.memory)
        identities = Identities(self.journal.accounts)
        self.bot = make_bot(self.journal, self.memory, self.chat, self.learner, identities)

    async def say(self, event: MessageEvent) -> str:
        """Say it; return what the tool told the model."""
        await self.bot.on_message(event, self.reply)
        (round_,) = self.chat.prompts[-1].rounds
        (result,) = round_.results
        self.failed = result.failed
        return result.text


WISH = message("please forget that I live in Porto", place=GENERAL)


async def test_in_a_channel() -> None:
    """A button stands below the answer; the wish is no lesson, and nothing is gone."""
    talk = Talk(what="Porto")
    assert await talk.say(WISH) == OFFERED.text
    (foot,) = talk.reply.feet
    assert [button.label for button in foot.buttons] == [REVIEW_LABEL]
    assert talk.reply.views == []
    assert talk.journal.outbox.kept == []
    assert len(talk.memory.of[ANN.key]) == 2


async def test_in_a_direct_message() -> None:
    """The view of `/forget` stands there at once."""
    talk = Talk(what="Porto")
    assert await talk.say(replace(WISH, place=DM)) == SHOWN.text
    (view,) = talk.reply.views
    assert [item.text for item in view.items] == ["Lives in Porto"]
    assert talk.reply.feet == []
    assert len(talk.memory.of[ANN.key]) == 2


@pytest.mark.parametrize("arguments", [{}, {"what": "  "}, {"what": 7}, {"what": None}])
async def test_without_words(arguments: dict[str, Any]) -> None:
    """The model is told so, and nothing is offered: least of all to forget everything."""
    talk = Talk(**arguments)
    assert await talk.say(WISH) == NO_WORDS.text
    assert talk.failed
    assert (talk.reply.feet, talk.reply.views) == ([], [])


async def test_everything() -> None:
    """It may be everything, which is confirmed like all else."""
    talk = Talk(what="everything")
    await talk.say(replace(WISH, place=DM))
    assert talk.reply.views[0].title.startswith("Forget everything?")


async def test_confidential() -> None:
    """A question that is recorded nowhere leaves no words in the journal either."""
    talk = Talk(what="Porto")
    assert await talk.say(replace(WISH, confidential=True)) == CONFIDENTIAL.text
    assert talk.journal.intents.kept == {}


async def test_while_memory_is_paused() -> None:
    """Forgetting goes on."""
    talk = Talk(what="Porto")
    await talk.journal.pauses.set(ANN.key, True)
    assert await talk.say(WISH) == OFFERED.text
    assert talk.reply.feet
