"""The forms of a message with a part of an answer: with blocks and metadata, unless Slack refuses those."""

from dataclasses import dataclass
from typing import Any

from adapters.slack import text as slack_text
from adapters.slack.shown_answer import ANSWER

#: Slack's errors for blocks; it counts tables among attachments.
_BLOCKS = ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "block_mismatch", "invalid_attachments")


class TooLong(Exception):
    """A part of an answer is too long for one message."""


@dataclass(slots=True)
class Form:
    """How the messages of an event's answer are sent. `plain`: without blocks; `bare`: without metadata."""

    event_id: str
    plain: bool = False
    bare: bool = False

    def content(self, part: str) -> dict[str, Any]:
        """What shows a part. Raises TooLong."""
        quiet = {"parse": "none", "link_names": False}
        if self.plain:
            text = slack_text.mrkdwn(part)
            if len(text) > slack_text.TEXT and len(part) >= 2 * slack_text.SHORTEST:
                raise TooLong
            return {"text": text[: slack_text.TEXT], "blocks": [], **quiet}
        blocks = [{"type": "markdown", "text": slack_text.markdown(part)}]
        return {"text": slack_text.escape(part), "blocks": blocks, **quiet}

    def message(self, index: int, part: str, *, done: bool) -> dict[str, Any]:
        """What shows a part and says which it is. Raises TooLong."""
        return self.content(part) | self.mark(index, done=done)

    def mark(self, index: int, *, done: bool) -> dict[str, Any]:
        """What says which part a message shows."""
        if self.bare:
            return {}
        payload = {"event": self.event_id, "part": index, "done": done}
        return {"metadata": {"event_type": ANSWER, "event_payload": payload}}

    def simplify(self, refused: str) -> bool:
        """Leave out what Slack has refused, by its error's code; False if there is nothing left to leave out."""
        plain, bare = self.plain, self.bare
        self.plain = plain or "metadata" not in refused
        self.bare = bare or refused not in _BLOCKS
        return (plain, bare) != (self.plain, self.bare)
