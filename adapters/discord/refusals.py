"""What Discord's refusals mean: which are transient, which are final, and which other form of the answer to try.

A code that isn't in the table is final, after one attempt in another form.
https://docs.discord.com/developers/topics/opcodes-and-status-codes lists the codes.
"""

from dataclasses import dataclass
from enum import StrEnum

import discord

#: Used as the code of a rate limit.
TOO_MANY = 429
UNKNOWN_CHANNEL = 10003
UNKNOWN_MEMBER = 10007
UNKNOWN_MESSAGE = 10008
UNKNOWN_USER = 10013
UNKNOWN_INTERACTION = 10062
ALREADY_ACKNOWLEDGED = 40060
MISSING_ACCESS = 50001
MISSING_PERMISSIONS = 50013
#: Codes of interactions that can't be answered: they expired, or another process has answered them.
OVER = frozenset({UNKNOWN_INTERACTION, 10015, ALREADY_ACKNOWLEDGED, 50027})
#: Codes saying that a channel, or its guild, no longer exists.
GONE = frozenset({UNKNOWN_CHANNEL, 10004})
#: Codes saying that a channel doesn't accept replies, since the bot may not read its history.
NO_REPLIES = frozenset({160002, 160009})


class AnswerForm(StrEnum):
    """Another form in which Discord may accept what it has refused."""

    PLAIN = "a plain message instead of a reply"
    LINKLESS = "without its links"
    ANEW = "a new message instead of an edit"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a code means: the form to try instead when sending and when editing, and what the person is told in the end.

    An empty sentence stands for the core's general one; `shut` says that Discord would refuse any text there.
    """

    send: AnswerForm | None = None
    edit: AnswerForm | None = None
    sentence: str = ""
    shut: bool = False


#: A code that isn't in the table.
UNKNOWN = Refusal(AnswerForm.PLAIN, AnswerForm.ANEW)
#: Nothing can be written there, in any form.
_SHUT = Refusal(shut=True)
_AUTOMOD = Refusal(sentence="This server's AutoMod blocked my answer.")

REFUSALS = {
    # A rate limit longer than `client.LONGEST_LIMIT`.
    TOO_MANY: Refusal(
        edit=AnswerForm.ANEW, sentence="Discord lets me write too little here just now. Please ask me later."
    ),
    # Because of the message's content.
    20009: Refusal(sentence="Discord's filter for explicit content blocked my answer."),
    50006: Refusal(sentence="There was nothing in my answer that Discord could show."),
    200000: _AUTOMOD,
    200001: _AUTOMOD,
    240000: Refusal(AnswerForm.LINKLESS, AnswerForm.LINKLESS, "Discord blocked my answer because of a link in it."),
    # Because of how it is sent.
    30046: Refusal(edit=AnswerForm.ANEW),  # too many edits of a message older than an hour
    50005: Refusal(edit=AnswerForm.ANEW),  # somebody else's message
    50021: Refusal(edit=AnswerForm.ANEW),  # a system message
    160002: Refusal(AnswerForm.PLAIN),  # no Read Message History: no replies
    160009: Refusal(AnswerForm.PLAIN),
    160010: Refusal(AnswerForm.PLAIN),  # a reference out of an age-restricted channel
    # Because of the place. A message reopens an archived thread, an edit doesn't; nothing reopens a locked one.
    50083: Refusal(edit=AnswerForm.ANEW, sentence="I can't answer in this thread: it is archived.", shut=True),
    160005: Refusal(sentence="I can't answer in this thread: it is locked.", shut=True),
    UNKNOWN_MESSAGE: Refusal(AnswerForm.PLAIN, sentence="My answer was deleted before it was finished.", shut=True),
    UNKNOWN_CHANNEL: _SHUT,
    10004: _SHUT,  # unknown guild
    40007: _SHUT,  # banned from the guild
    40058: _SHUT,  # a forum itself
    MISSING_ACCESS: _SHUT,
    50007: _SHUT,  # a person who takes no direct messages from the bot
    50008: _SHUT,  # not a text channel
    50009: _SHUT,  # the channel's verification level
    MISSING_PERMISSIONS: _SHUT,
    50024: _SHUT,  # not on this kind of channel
    50278: _SHUT,  # no guild in common any more
}

#: Codes that a retry may fix, whatever their status: rate limits, and what Discord has switched off for now.
_TRANSIENT = frozenset({20016, 20022, 20028, 20029, 40003, 40004, 40006, 40062, 40333, 130000})
_TRANSIENT_STATUSES = frozenset({401, 408, 425, 429})


class DiscordRefused(Exception):
    """Discord refuses a request for good; `other` is a form in which it may still be accepted."""

    def __init__(self, error: discord.HTTPException | discord.RateLimited, *, editing: bool = False) -> None:
        super().__init__(reason(error))
        self.code = error.code if isinstance(error, discord.HTTPException) else TOO_MANY
        refusal = REFUSALS.get(self.code, UNKNOWN)
        self.other = refusal.edit if editing else refusal.send
        self.sentence = refusal.sentence
        self.shut = refusal.shut and self.other is None


def is_transient(error: BaseException) -> bool:
    """Whether a retry may succeed; `error` is one of `messages.DISCORD_ERRORS`."""
    if not isinstance(error, discord.HTTPException):
        return True
    if error.status >= 500 or error.status in _TRANSIENT_STATUSES or error.code in _TRANSIENT:
        return True
    # A page instead of Discord's JSON comes from an intermediary.
    return error.code == 0 and not error.response.headers.get("Content-Type", "").startswith("application/json")


def reason(error: BaseException) -> str:
    """Why a request failed, for the log: its status and code, or the exception's type; never text."""
    if isinstance(error, discord.HTTPException):
        return f"HTTP {error.status}, code {error.code}"
    if isinstance(error, discord.RateLimited):
        return f"rate limited for {error.retry_after:.0f} s"
    return type(error).__name__
