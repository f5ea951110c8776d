"""Characters in a plain text that would format in Markdown, and so are escaped by the platforms' styles."""

import re


def beside(text: str, found: re.Match[str], before: str, after: str) -> tuple[str, str]:
    """The characters on both sides of a match in a text that is between `before` and `after`; "" for none."""
    place = found.start()
    return text[place - 1] if place else before, text[place + 1] if place + 1 < len(text) else after


def formats(sign: str, left: str, right: str, *, label: bool) -> bool:
    """Whether a Markdown character would format between two others; `label`: whether a link may end after it."""
    match sign:
        case "_":
            return not (left.isalnum() and right.isalnum())
        case "*":
            return not (left.isspace() and right.isspace())
        case "~":
            return "~" in (left, right)
        case "\\":
            return not right or (right.isascii() and not right.isalnum() and not right.isspace())
        case "[":
            return label
    return True
