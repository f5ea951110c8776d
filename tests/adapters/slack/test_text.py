"""Slack's text, both ways, as tables."""

from datetime import timedelta, timezone

import pytest

from adapters.slack import text as slack_text

BOT = "U0BOT"


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("<@U0BOT> hi", "hi"),
        ("<@U0BOT>, hi", "hi"),
        ("hey <@U0BOT> you", "hey you"),
        ("one\n<@U0BOT>\ntwo", "one\n\ntwo"),
        ("<@U1> and <@U2> and <@W3|wendy>", "@ann and @U2 and @wendy"),
        ("<#C1|general> <#C2> <#C3|> <#C4>", "#general #channel #channel #random"),
        ("<!here> <!channel> <!everyone>", "@here @channel @everyone"),
        ("<!subteam^S1|@ops> <!subteam^S2> <!subteam^S3>", "@ops @crew @group"),
        ("<!date^1764237600^{date}|27 Nov> <!date^0^{time}>", "2025-11-27 11:00+01:00 (27 Nov) 1970-01-01 01:00+01:00"),
        ("<!date^99999999999999^{date}|one day> <!date^x^{date}>", "one day a date"),
        ("<!channel|channel> :wave::skin-tone-2: :a::b:", "@channel :wave: :a::b:"),
        ("<tel:+155501|+1 555 01> <mailto:a@b.c>", "+1 555 01 (tel:+155501) mailto:a@b.c"),
        ("<https://a.b/c?d=1&amp;e=2>", "https://a.b/c?d=1&e=2"),
        ("<https://a.b|here>", "here (https://a.b)"),
        ("<http://a.b|a.b> <mailto:x@y.z|x@y.z>", "a.b x@y.z"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("&lt;@U1&gt; &amp;lt;", "<@U1> &lt;"),
        ("a < b and c > d", "a < b and c > d"),
    ],
)
def test_read(raw: str, read: str) -> None:
    """What Slack encodes is read as people see it."""
    known = slack_text.ResolvedNames({"C4": "#random"}, {"S2": "@crew"}, timezone(timedelta(hours=1)))
    assert slack_text.plain(raw, BOT, {"U1": "ann"}, known) == read


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("**bold** & <b>", "**bold** & &lt;b>"),
        ("> quoted", "> quoted"),
        ("see <https://a.b/c>", "see https://a.b/c"),
        ("<!channel>", "&lt;!channel>"),
        ("`a < b` `<div>` `<!here>`", "`a < b` `<div>` `<\u200b!here>`"),
        ("```\nx <@U1> <https://a.b|c>\n```", "```\nx <\u200b@U1> <\u200bhttps://a.b|c>\n```"),
        ("```\nnever closed <!channel>", "```\nnever closed <\u200b!channel>\n```"),
        ("a ` lone <!here> tick", "a ` lone &lt;!here> tick"),
    ],
)
def test_markdown(markdown: str, shown: str) -> None:
    """Markdown stays what it is, but for what Slack would read as a token."""
    assert slack_text.markdown(markdown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("I have 163", "I have"),
        ("One line\nand", "One line"),
        ("word", "word"),
        (" word", " word"),
        ("猫" * 100, "猫" * 100),
        ("", ""),
    ],
)
def test_growing_text_ends_with_a_whole_word(text: str, shown: str) -> None:
    """What is still to grow is shown up to its last blank, so that what follows elsewhere begins with a word."""
    assert slack_text.words(text) == shown
