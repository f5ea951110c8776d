"""The sources below an answer: links that are what they seem, and how an answer from the web is recognised."""

import pytest

from bot.core.web import SOURCES, UNNAMED, Findings, is_from_web
from bot.model import Link, Web


def line(*links: Link) -> str:
    found = Findings()
    found.note(Web(links))
    return found.line


def test_sources_are_links_each_once() -> None:
    """Of all turns of an answer, in their order."""
    law, news = Link("https://example.test/law", "The law"), Link("https://example.test/news", "")
    found = Findings()
    found.note(Web((law,)))
    found.note(Web((law, news)))
    shown = (
        "\n\nSources: [The law](<https://example.test/law>) · [https://example.test/news](<https://example.test/news>)"
    )
    assert found.line == shown
    assert is_from_web(f"So it is.{shown}\n")


def test_without_sources_it_says_that_it_looked() -> None:
    """Nobody takes it for what Claude has always known."""
    assert line() == f"\n\n{UNNAMED}"
    assert is_from_web(f"So it is.{line()}")
    assert Findings().line == ""
    assert not is_from_web("Sources: I have none.\n\nSo it is.")


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        (Link("https://e.test/a>b c", "x"), "[x](<https://e.test/a%3Eb%20c>)"),
        (Link("https://e.test", "a](https://evil.test) [b"), r"[a\](https://evil.test) \[b](<https://e.test>)"),
        (
            Link("https://e.test", "*bold*\n# @everyone <!channel>"),
            r"[\*bold\* \# \@everyone \<!channel\>](<https://e.test>)",
        ),
        (Link("https://e.test", "t" * 300), f"[{'t' * 80}](<https://e.test>)"),
    ],
)
def test_titles_and_addresses_cannot_be_anything_else(link: Link, shown: str) -> None:
    """They are somebody else's words."""
    assert line(link) == f"\n\nSources: {shown}"


def test_a_few_are_enough() -> None:
    """An answer that rests on twenty pages names the first of them."""
    links = [Link(f"https://e.test/{number}", str(number)) for number in range(20)]
    assert line(*links).count("](") == SOURCES
