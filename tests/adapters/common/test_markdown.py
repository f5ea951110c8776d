"""CommonMark with tables as each platform shows it."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.discord import markdown as discord_markdown
from adapters.discord.markdown import Growing
from adapters.slack import markdown as slack_markdown

TABLE = "| Name | Age |\n|:--|--:|\n| Ann | 5 |\n| **猫** | 10 |"
COLUMNS = "```\nName │ Age\n─────┼────\nAnn  │   5\n猫   │  10\n```"

#: What a model writes; then what Discord, a Slack block of Markdown, and mrkdwn are sent.
SHOWN = [
    ("__bold__ and **bold**", "**bold** and **bold**", "**bold** and **bold**", "*bold* and *bold*"),
    ("*em* and _em_", "*em* and *em*", "*em* and *em*", "_em_ and _em_"),
    ("***both***", "***both***", "***both***", "_*both*_"),
    ("~~gone~~", "~~gone~~", "~~gone~~", "~gone~"),
    ("un*frigging*real", "un*frigging*real", "un*frigging*real", "un\u200b_frigging_\u200breal"),
    ("**「重要」**です", "**「重要」**です", "**「重要」**です", "*「重要」*\u200bです"),
    ("snake_case 2 * 3 a_b_c", *["snake_case 2 * 3 a_b_c"] * 3),
    (
        r"\*not em\* 1\. \# \[a](b)",
        r"\*not em\* 1. # \[a](b)",
        r"\*not em\* 1. # \[a](b)",
        "\u200b*not em\u200b* 1. # [a](b)",
    ),
    ("||a|| <@1> @everyone", r"\|\|a\|\| \<@1> @everyone", "\\||a|| &lt;@1> @everyone", "||a|| &lt;@1&gt; @everyone"),
    ("AT&amp;T &lt;b&gt; &amp;lt;", r"AT&T \<b> &lt;", "AT&T &lt;b> &amp;lt;", "AT&amp;T &lt;b&gt; &amp;lt;"),
    ("# One", "# One", "# One", "*One*"),
    ("#### Four **x**", "**Four x**", "#### Four **x**", "*Four x*"),
    ("Two\n---", "## Two", "## Two", "*Two*"),
    ("a\n\n---\n\nb", f"a\n\n{'─' * 12}\n\nb", "a\n\n---\n\nb", f"a\n\n{'─' * 12}\n\nb"),
    ("- a\n    - b\n- c", "- a\n  - b\n- c", "- a\n  - b\n- c", "• a\n  • b\n• c"),
    ("* a\n\n* b", "- a\n- b", "- a\n- b", "• a\n• b"),
    ("9. a\n9. b", "9. a\n10. b", "9. a\n10. b", "9. a\n10. b"),
    ("- [ ] a\n- [x] b", "- ☐ a\n- ☑ b", "- [ ] a\n- [x] b", "• ☐ a\n• ☑ b"),
    (
        "1. a\n\n   ```py\n   x\n   ```\n2. b",
        "1. a\n```py\nx\n```\n2. b",
        "1. a\n   ```py\n   x\n   ```\n2. b",
        "1. a\n```\nx\n```\n2. b",
    ),
    ("> a\n> > b", "> a\n> b", "> a\n> > b", "> a\n> b"),
    ("a\\\nb  \nc", *["a\nb\nc"] * 3),
    ("a<br>b <b>c</b> <div>", r"a" + "\n" + r"b **c** \<div>", "a\nb **c** &lt;div>", "a\nb *c* &lt;div&gt;"),
    ("a <!-- hidden --> b", *["a  b"] * 3),
    ("`` a`b ``", "`` a`b ``", "`` a`b ``", "`aˋb`"),
    ("~~~js x\na\n~~~", "```js\na\n```", "```js\na\n```", "```\na\n```"),
    ("    a <@1>", "```\na <@1>\n```", "```\na <\u200b@1>\n```", "```\na &lt;@1&gt;\n```"),
    ("````\n```\n````", *["```\n`\u200b`\u200b`\n```"] * 3),
    ('[a](https://b.c/d_(e) "t")', "[a](https://b.c/d_%28e%29)", "[a](https://b.c/d_%28e%29)", "<https://b.c/d_(e)|a>"),
    ("[a][1]\n\n[1]: https://b.c", "[a](https://b.c)", "[a](https://b.c)", "<https://b.c|a>"),
    (
        "[https://a.b](https://evil.c)",
        "https://evil.c",
        "[https://a.b](https://evil.c)",
        "<https://evil.c|https://a.b>",
    ),
    ("[a](mailto:b@c.d) [e](/f)", "a (mailto:b@c.d) e (/f)", "[a](mailto:b@c.d) [e](/f)", "<mailto:b@c.d|a> e (/f)"),
    ("<https://a.b> <a@b.c>", "<https://a.b> a@b.c", "https://a.b a@b.c", "<https://a.b> <mailto:a@b.c>"),
    ("https://a.b/_c_d_e(f).", *["https://a.b/_c_d_e(f)."] * 2, "<https://a.b/_c_d_e(f)>."),
    ("https://a.b/_c_, d", *["https://a.b/_c_, d"] * 2, "<https://a.b/_c_>, d"),
    ("_see https://a.b/c_d_ e", "*see https://a.b/c_d* e", "*see https://a.b/c_d* e", "_see <https://a.b/c_d>_ e"),
    ("![cat](https://a.b/c.png)", "[cat](https://a.b/c.png)", "[cat](https://a.b/c.png)", "<https://a.b/c.png|cat>"),
    ("a[^1]\n\n[^1]: Note", "a[^1]\n\n[^1]: Note", "a[^1]\n\n\\[^1]: Note", "a[^1]\n\n[^1]: Note"),
    ("$a_1*b*c$ costs $5 and $10", *["`a_1*b*c` costs $5 and $10"] * 3),
    (r"\(x_1\) \[y\]", *["`x_1` `y`"] * 3),
    (TABLE, COLUMNS, "| Name | Age |\n| --- | --: |\n| Ann | 5 |\n| **猫** | 10 |", COLUMNS),
    (
        "|A|B|\n|-|-|\n|x|[l](https://a.b)|",
        "- **x** · B: [l](https://a.b)",
        "| A | B |\n| --- | --- |\n| x | [l](https://a.b) |",
        "• *x* · B: <https://a.b|l>",
    ),
]


@pytest.mark.parametrize(("written", "discord", "block", "mrkdwn"), SHOWN)
def test_each_platform_is_sent_what_it_shows(written: str, discord: str, block: str, mrkdwn: str) -> None:
    """What CommonMark says is bold, a list or a table is that to people, by the signs of their platform."""
    assert discord_markdown.markdown(written) == discord
    assert slack_markdown.markdown(written) == block
    assert slack_markdown.mrkdwn(written) == mrkdwn


def test_a_wide_table_is_a_list() -> None:
    """Columns that no phone shows become items, in which every cell stands behind its column's name."""
    table = "| Name | About | Since |\n|-|-|-|\n" + f"| Ann | {'long ' * 12}| 2020 |\n| Ben | | 2021 |"
    assert (
        discord_markdown.markdown(table)
        == f"- **Ann** · About: {('long ' * 12).strip()} · Since: 2020\n- **Ben** · Since: 2021"
    )


PIECES = st.sampled_from(
    [
        "a",
        "word ",
        "\n",
        "\n\n",
        "  ",
        "    ",
        "*",
        "**",
        "_",
        "__",
        "~~",
        "`",
        "```",
        "- ",
        "1. ",
        "> ",
        "# ",
        "|",
        "|-|-|\n",
        "---",
        "<",
        "<br>",
        "<b>",
        "</b>",
        "[a](https://b.c)",
        "[",
        "](",
        "https://a.b/c",
        "$",
        "\\",
        "\\(",
        "![",
        "猫",
        "[x] ",
        "&amp;",
        "\r\n",
    ]
)
TEXTS = st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=60)


@settings(derandomize=True, max_examples=300)
@given(st.text(alphabet="abXéß猫한א019 _,.;?!'’\"“”()—–…", max_size=30))
def test_prose_is_shown_as_the_parser_would(text: str) -> None:
    """Plain sentences aren't parsed; the line before them, which changes nothing, has this one parsed."""
    for show in (discord_markdown.markdown, slack_markdown.markdown, slack_markdown.mrkdwn):
        assert show(text) == show("\n" + text)


@settings(derandomize=True, max_examples=300)
@given(TEXTS)
def test_any_text_is_shown(text: str) -> None:
    """Whatever is written, every word of it is shown, and Slack finds no mention in it."""
    for shown in (discord_markdown.markdown(text), slack_markdown.markdown(text), slack_markdown.mrkdwn(text)):
        assert (
            bool(shown.strip()) == bool(text.strip("\0\r\n\t \x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u2028\u2029"))
            or not text.strip()
        )
        assert sorted(re.findall("word|猫", shown)) == sorted(re.findall("word|猫", text))
    for shown in (slack_markdown.markdown(text), slack_markdown.mrkdwn(text)):
        assert not re.search("<[!@#]", shown)


@given(TEXTS, st.lists(st.integers(0, 400), max_size=12))
def test_growing_comes_to_the_same(text: str, lengths: list[int]) -> None:
    """An answer that is shown again and again while it grows ends as one that is shown once."""
    growing = Growing()
    for length in sorted(lengths):
        growing.markdown(text[:length])
    assert growing.markdown(text) == discord_markdown.markdown(text)


def test_deep_nesting_loses_nothing() -> None:
    """Quotations and lists nested without end are shown, as text from some depth on."""
    for text in (">" * 500 + " end", "".join(f"{'  ' * depth}- {depth}\n" for depth in range(200)), "*" * 999 + "end"):
        assert "end" in discord_markdown.markdown(text + " end")


@pytest.mark.parametrize("show", [discord_markdown.markdown, slack_markdown.markdown, slack_markdown.mrkdwn])
def test_a_long_paragraph_is_never_cut_amid_a_word(show: Callable[[str], str]) -> None:
    """What is read of one block has its bound between words: all of them come through whole, in order."""
    words = [f"q5.{number}" for number in range(3000)]
    assert show(" ".join(words)).split() == words
