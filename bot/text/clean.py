"""Cleans text from outside for databases, JSON, prompts and terminals."""

import re

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str, lone: str = "?") -> str:
    """The text without NULs, and with `lone` for lone surrogates, which UTF-8 can't encode."""
    if text.isascii():
        return text.replace("\0", "") if "\0" in text else text
    return _LONE_SURROGATE.sub(lone, text.replace("\0", ""))


def quote(text: str) -> str:
    """Quote text from outside, with every line marked, so that it can't pass for the text around it."""
    return "\n".join(f"> {line}" for line in text.splitlines())


def one_line(text: str) -> str:
    """The text on a single line, so that it can't forge lines of the prompt around it."""
    return " ".join(text.split())


def printable(text: str) -> str:
    """The text without line breaks and other characters that a terminal would interpret."""
    return "".join(sign for sign in text if sign.isprintable())
