"""What stands below an answer on Slack: a context block and buttons, added to its last message by one more edit.

Where Slack doesn't take them there, they are a message of their own. Their blocks are named, by which a process knows
what another has added.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from adapters.slack import text as slack_text
from adapters.slack import views
from adapters.slack.api import Message, SlackApi
from adapters.slack.attempts import again
from adapters.slack.errors import SLACK_ERRORS, Refusal, refusal
from adapters.slack.forms import Form
from adapters.slack.shown_answer import ShownMessage
from bot.model import Person, Place
from bot.views import Foot

log = logging.getLogger(__name__)

#: How the names of these blocks begin.
NAME = "memory_bot_foot"
#: Seconds that an edit waits for its turn: with the answer, and later.
PATIENCE = 5.0
PATIENCE_LATER = 60.0
#: Calls of each minute that are left to answers.
LEFT = 30
#: Slack's refusals of what is added, not of the message.
_OVER_LIMITS = (Refusal.LENGTH, Refusal.FORM)


def blocks(foot: Foot, person: Person) -> list[views.Block]:
    """The blocks of a foot whose buttons are that person's."""
    name = f"{NAME}:{foot.buttons[0].action if foot.buttons else foot.line}"[:240]
    shown: list[views.Block] = []
    if foot.line:
        shown.append({"type": "context", "block_id": f"{name}:line", "elements": [views.plain(foot.line)]})
    if foot.buttons:
        shown.append(
            {"type": "actions", "block_id": f"{name}:keys", "elements": views.owned(foot.buttons, person.user)}
        )
    return shown


def is_foot(message: Message) -> bool:
    """Whether a message holds nothing but what stands below an answer."""
    there = message.get("blocks") or []
    return bool(there) and len(_feet(there)) == len(there)


def _feet(there: Iterable[Any]) -> list[views.Block]:
    return [block for block in there if str(block.get("block_id") or "").startswith(f"{NAME}:")]


@dataclass(frozen=True, slots=True)
class _Part:
    """The last message of an answer: its text, which part it is, the blocks below it, and what came after it."""

    text: str
    index: int
    form: Form
    feet: list[views.Block]
    after: list[Message]


@dataclass(frozen=True, slots=True)
class Below:
    """Adds to one answer. Raises SLACK_ERRORS."""

    api: SlackApi
    place: Place
    person: Person
    event_id: str

    async def add(self, ts: str, foot: Foot, known: tuple[int, ShownMessage, Form] | None) -> None:
        """Add a foot to the answer's last message; nothing if it is there already, or the message is gone.

        `known` is that message as this process has just shown it, with nothing below it.
        """
        if known is not None:
            index, shown, form = known
            part: _Part | None = _Part(shown.text, index, form, [], [])
        else:
            part = await self._find(ts)
        if part is None:
            return
        wanted = blocks(foot, self.person)
        names = {block["block_id"] for block in wanted}
        there = [*part.feet, *(block for message in part.after for block in _feet(message.get("blocks") or ()))]
        if any(block["block_id"] in names for block in there):
            return
        said = [block.get("elements") for block in there]
        wanted = [block for block in wanted if block["type"] != "context" or block["elements"] not in said]
        late = known is None
        content = part.form.message(part.index, part.text, done=True)
        if content.get("blocks"):
            content["blocks"] = [*content["blocks"], *part.feet, *wanted]
            if await self._call("chat.update", late=late, ts=ts, **content):
                return
        text = slack_text.escape(foot.line or foot.buttons[0].label)
        about = {"thread_ts": self.place.thread, "parse": "none", "link_names": False}
        await self._call("chat.postMessage", late=late, text=text, blocks=wanted, **about)

    async def _find(self, ts: str) -> _Part | None:
        """The answer's last message, as Slack has it."""
        api = self.api.in_background()
        history = await api.since(self.place.channel, self.place.thread, ts, metadata=True)
        ours = [message for message in history.messages if message.get("user") == api.bot_user]
        found = next((message for message in ours if message["ts"] == ts), None)
        if found is None:
            return None
        payload = (found.get("metadata") or {}).get("event_payload") or {}
        number = payload.get("part")
        shown = found.get("blocks") or []
        form = Form(self.event_id, plain=not shown, bare=not payload)
        text = slack_text.plain(str(found.get("text") or ""), "", {})
        after = [message for message in ours if message["ts"] > ts]
        return _Part(text, number if isinstance(number, int) else 0, form, _feet(shown), after)

    async def _call(self, method: str, *, late: bool, **content: Any) -> bool:
        """Edit or post in turn, through rate limits and outages; False if Slack doesn't take the blocks there."""
        call = self.api.now.chat_update if method == "chat.update" else self.api.now.chat_postMessage
        attempt = 0
        while True:
            attempt += 1
            patience, spare = (PATIENCE_LATER, LEFT) if late else (PATIENCE, 0)
            await self.api.pace.turn(method, self.place.channel, longest_wait=patience, spare=spare)
            try:
                await call(channel=self.place.channel, **content)
            except SLACK_ERRORS as exc:
                kind = refusal(exc)
                if kind is Refusal.GONE:
                    return True
                if method == "chat.update" and kind in _OVER_LIMITS:
                    return False
                await again(self.event_id, exc, attempt, method)
            else:
                return True
