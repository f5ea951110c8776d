"""Signs in a plain text that Markdown would format by: what the platforms' styles escape."""

import re


def beside(text: str, found: re.Match[str], before: str, after: str) -> tuple[str, str]:
    """The characters on both sides of a sign in a text that stands between `before` and `after`; "" for none."""
    place = found.start()
    return text[place - 1] if place else before, text[place + 1] if place + 1 < len(text) else after


def formats(sign: str, left: str, right: str, *, label: bool) -> bool:
    """Whether a sign of Markdown would format between two characters; `label`: whether a link may end behind it."""
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
