"""Masks credentials in what is kept of people's messages: keys, tokens, card numbers, and passwords that are told.

Whatever writes down or learns what somebody said masks it with `mask`. The one exception is what a person explicitly
asks to have remembered. Doing so twice changes nothing. A phone number, a booking code or the number of a locker is no
secret.
"""

import re
from collections.abc import Iterator

from bot.text.key_formats import KEY_FORMATS
from bot.text.told_passwords import told_passwords

#: What stands in a secret's place.
MASK = "[masked]"
#: Characters of a secret that is looked for, word for word, in the answer to it.
_REPEATED = 4

#: Card numbers as people write them: without spaces, or in the groups on the card.
_CARD = re.compile(
    r"(?<![\w@#&!/+])(?<![0-9][.,-])"
    r"(?:[2-6][0-9]{3}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{3}(?![0-9]))?|3[0-9]{3}([ -])[0-9]{6}\2[0-9]{4,5}"
    r"|[2-6][0-9]{12,18})(?![\w>])(?![.,-][0-9])"
)
_SEPARATOR = re.compile("[ -]")
#: Leading digits and lengths of the issuers whose numbers have a check digit.
_ISSUERS = (
    (re.compile("4"), (13, 16, 19)),
    (re.compile("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720|220[0-4]"), (16,)),
    (re.compile("3[47]"), (15,)),
    (re.compile("3(?:0[0-5]|[689])"), (14,)),
    (re.compile("35(?:2[89]|[3-8])|6011|64[4-9]|65|60|508"), (16,)),
    (re.compile("62|50|5[6-9]|6[37]"), (16, 17, 18, 19)),
)


def mask(text: str, also: tuple[str, ...] = ()) -> str:
    """The text with its secrets masked, and wherever it repeats one of `also`."""
    spans = list(_spans(text))
    for secret in also:
        spans += _occurrences(text, secret)
    if not spans:
        return text
    parts, end = [], 0
    for start, stop in sorted(spans):
        if start >= end:
            parts += [text[end:start], MASK]
        end = max(end, stop)
    return "".join([*parts, text[end:]])


def found(text: str) -> tuple[str, ...]:
    """The secrets in a text, longest first, so that another text that repeats them can be masked."""
    secrets = {text[start:end] for start, end in _spans(text)}
    secrets |= {bare for secret in secrets if len(bare := secret.rstrip(".!?)")) >= _REPEATED}
    return tuple(sorted(secrets, key=len, reverse=True))


def holds(text: str) -> bool:
    """Whether there is anything to mask in a text."""
    return next(_spans(text), None) is not None


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where its secrets are; they may overlap."""
    lowered = text.lower()
    for literals, pattern in KEY_FORMATS:
        if any(literal in lowered for literal in literals):
            for match in pattern.finditer(text):
                yield match.span(pattern.groups and 1)
    for written in _CARD.finditer(text):
        if length := _card_length(written.group()):
            yield written.start(), written.start() + length
    yield from told_passwords(text, lowered)


def _occurrences(text: str, secret: str) -> Iterator[tuple[int, int]]:
    start = text.find(secret)
    while start >= 0:
        yield start, start + len(secret)
        start = text.find(secret, start + len(secret))


def _card_length(written: str) -> int:
    """How many of these characters are a card number; 0 if it is none. Three further digits may be the card's code."""
    for length in (len(written), len(written) - 4):
        number = _SEPARATOR.sub("", written[:length])
        if _is_issued(number) and _checks_out(number):
            return length
        if not _SEPARATOR.search(written):
            break
    return 0


def _is_issued(number: str) -> bool:
    return any(len(number) in lengths and prefix.match(number) for prefix, lengths in _ISSUERS)


def _checks_out(number: str) -> bool:
    """Luhn's check digit."""
    digits = [int(digit) for digit in reversed(number)]
    return sum(digits[::2] + [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]) % 10 == 0
