"""Text from outside is made fit for where it goes, and otherwise stays as it is."""

from bot.text.clean import clean, one_line, printable


def test_clean_drops_what_nothing_can_store() -> None:
    """Null characters vanish and a lone surrogate becomes a question mark; all else stays."""
    assert clean("a\0b\ud800c\u202eד👍") == "ab?c\u202eד👍"
    assert clean("a\0b\x07") == "ab\x07"
    assert clean("\udc00\ud800é", "\ufffd") == "\ufffd\ufffdé"


def test_one_line_leaves_no_break() -> None:
    """Every kind of white space becomes one blank, and none is at the ends."""
    assert one_line("\n a\r\n\tb\u2028c\x1fd ") == "a b c d"


def test_printable_leaves_nothing_that_a_terminal_obeys() -> None:
    """Escapes, breaks and marks that turn the direction go; letters of every script and blanks stay."""
    assert printable("a\x1b[2Jb\n\u202ec é 猫👍") == "a[2Jbc é 猫👍"
