"""What is said of messages in which there is nothing to answer, the same on every platform."""

#: To a message that holds the bot's mention and nothing else.
HELLO = (
    "Hi! Write what you would like to ask or tell me right after my name, or in a direct message. "
    "/memories shows what I remember about you."
)
#: To a message of which nothing can be read, in whatever form the platform sends it.
NOTHING = "I can't read that kind of message, only text. Could you put it into words?"


def unreadable(what: str) -> str:
    """The sentence about one kind of thing that can't be read, such as "voice messages"."""
    return f"I can't read {what}, only text. Could you put it into words?"
