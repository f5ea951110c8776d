"""Answers to messages that can't be answered otherwise, the same on every platform."""

#: To a message that only mentions the bot.
HELLO = (
    "Hi! Write what you would like to ask or tell me right after my name, or in a direct message. "
    "/memories shows what I remember about you."
)
#: To a message in a form that the bot can't read.
NOTHING = "I can't read that kind of message, only text. Could you put it into words?"


def unreadable(what: str) -> str:
    """The answer to a kind of message that can't be read, such as "voice messages"."""
    return f"I can't read {what}, only text. Could you put it into words?"
