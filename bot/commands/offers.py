"""What an answer offers its asker: buttons below it and, in a direct message, what they would open, at once."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from bot.actions import Review
from bot.commands.forgetting import Forgetting
from bot.commands.wording import ARGUMENT, UNAVAILABLE
from bot.events import CommandEvent, MessageEvent
from bot.logs import describe
from bot.model import Audience
from bot.ports import JournalUnavailable, MemoryUnavailable, ReplyHandle
from bot.text.clean import one_line
from bot.views import Button, Foot, View

log = logging.getLogger(__name__)

REVIEW_LABEL = "Review what to forget"
#: Wishes of one message that are offered.
MOST = 3


class Offers:
    """Makes the offers of an answer that is shown and written down."""

    def __init__(self, forgetting: Forgetting, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._forgetting = forgetting
        self._clock = clock

    async def make(
        self,
        event: MessageEvent,
        reply: ReplyHandle,
        message_ids: Sequence[str],
        buttons: Sequence[Button] = (),
        forget: Sequence[str] = (),
    ) -> None:
        """Put these buttons below the answer, and one for each wish to have something forgotten. Never raises.

        In a direct message, what would be forgotten is shown at once: nobody else reads there.
        """
        try:
            wishes = list(dict.fromkeys(one_line(what)[:ARGUMENT] for what in forget))[:MOST]
            # The answer may have come late, and the buttons are for a quarter of an hour from now.
            now = self._clock().astimezone(event.at.tzinfo)
            below = list(buttons)
            if event.place.audience is Audience.PRIVATE:
                await self._below(reply, message_ids, below)
                for what in wishes:
                    await reply.show(await self._proposal(CommandEvent(event.person, event.place, "forget", what, now)))
                return
            for number, what in enumerate(wishes, 1):
                label = REVIEW_LABEL if len(wishes) == 1 else f"{REVIEW_LABEL} ({number})"
                below.append(Button(label, str(Review(await self._forgetting.wish(event.person, what, now)))))
            await self._below(reply, message_ids, below)
        except Exception as exc:  # noqa: BLE001 - whatever fails: the answer is shown and written down
            log.warning("%s: what its answer offers could not be shown: %s", event.id, describe(exc))

    async def _proposal(self, asked: CommandEvent) -> View:
        try:
            return await self._forgetting.propose(asked, asked.argument)
        except (MemoryUnavailable, JournalUnavailable) as exc:
            log.warning("what would be forgotten can't be looked up: %s", describe(exc))
            return UNAVAILABLE

    @staticmethod
    async def _below(reply: ReplyHandle, message_ids: Sequence[str], buttons: Sequence[Button]) -> None:
        if buttons:
            await reply.below(message_ids, Foot(buttons=tuple(buttons)))
