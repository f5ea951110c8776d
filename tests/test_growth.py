"""Nothing that reads text from outside takes long for a long text: its time grows with its length, and no faster.

Patterns and hand-written loops are found in the syntax trees, so that a new one is measured, or fails here.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adapters.common.text import split_markdown
from adapters.discord import markdown as discord_markdown
from adapters.discord import text as discord_text
from adapters.discord import views as discord_views
from adapters.slack import markdown as slack_markdown
from adapters.slack import text as slack_text
from adapters.slack import views as slack_views
from adapters.terminal import input as terminal_input
from bot import logs
from bot.chat import notebook, thoughts
from bot.commands import listing, spoken
from bot.commands import wording as words
from bot.core import asides, prompt
from bot.memory.embedded import extraction_answer, extraction_prompt
from bot.memory.embedded import memory as embedded
from bot.memory.hosted import rows as hosted_rows
from bot.memory.recall import ranking
from bot.model import Exchange
from bot.text import keywords, secrets, time_expressions
from bot.text.clean import clean, one_line, printable, quote
from bot.views import Item, View
from tests import scanners
from tests.makers import ANN, BOB, GENERAL, MONDAY, memory, message, turn

#: Some thousand measurements; what they are is checked, never how long they take.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SIZES = (2_000, 20_000, 200_000)
#: Growth per doubling that is too much; ten times the text is 3.3 doublings, so that linear work comes to 10.
PER_DOUBLING = 3.4
TOO_MUCH = PER_DOUBLING ** (3.3219)

#: What a text is made of, and how it ends: a pattern that scans far and then fails does so at the end.
SHAPES = [
    *((unit, "x") for unit in (" ", "\t\n", "\u0301", "_", "*", "~", "`", "-", ">", "|", "\\")),
    *((unit, "!") for unit in ("a", "1", "Aé", "猫", "한", "\u05d0\u05b8")),
    *((unit, "") for unit in ("<", "[", '"', "<@U1", "<@1> ", "</think>\n", "![a")),
    *((unit, "\n") for unit in ("a ", "a\n", "- a\n", ">\n", "```\n", "| a ", "**a", "[1]: /a\n")),
    *((unit, "?") for unit in ("2023-01-01 ", "1 may ", "last week ", "the ", "http://a.b/", "forget ")),
    ("~", "`"),
]


def text_of(shape: tuple[str, str], size: int) -> str:
    unit, end = shape
    return (unit * (size // len(unit) + 1))[: size - len(end)] + end


def seconds(call: Callable[[], object], least: float = 0.0005) -> float:
    """The processor's seconds of a call; a quick one is repeated until it can be measured."""
    times = 1
    while True:
        begun = time.process_time()
        for _ in range(times):
            call()
        spent = time.process_time() - begun
        if spent >= least:
            return spent / times
        times *= 4


def growth(call: Callable[[str], object], shape: tuple[str, str], sizes: Sequence[int]) -> float:
    """The worst growth from one size to the next, as times the time for ten times the text."""
    call(text_of(shape, sizes[0]))  # what is loaded or compiled once
    worst, before = 0.0, seconds(lambda: call(text_of(shape, sizes[0])))
    for size in sizes[1:]:
        text = text_of(shape, size)
        spent = seconds(lambda text=text: call(text))  # type: ignore[misc]
        worst = max(worst, spent / before)
        if worst > 2 * TOO_MUCH:  # the next size would take minutes
            break
        before = spent
    return worst


def check(call: Callable[[str], object], sizes: Sequence[int] = SIZES) -> None:
    """Fail where any shape takes too much more time for more text; a busy machine gets another two tries."""
    failed = {}
    for shape in SHAPES:
        tries = [growth(call, shape, sizes)]
        while tries[-1] > TOO_MUCH and len(tries) < 3:
            tries.append(growth(call, shape, sizes))
        if tries[-1] > TOO_MUCH:
            failed[shape] = [round(factor) for factor in tries]
    assert not failed


PATTERNS = dict(scanners.patterns())


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_patterns_are_linear(name: str) -> None:
    """Each pattern, searched for all through a text and held against the whole of it."""
    pattern = PATTERNS[name]
    if isinstance(pattern.pattern, bytes):
        whole = pattern

        def use_bytes(text: str) -> None:
            for _ in whole.finditer(text.encode()):
                pass

        check(use_bytes)
        return

    def use(text: str) -> None:
        for _ in pattern.finditer(text):
            pass
        pattern.fullmatch(text)
        pattern.match(text)

    check(use)


def test_no_pattern_is_hidden() -> None:
    """Every pattern is in a module's table, where the test above finds it; none is made within a function."""
    assert scanners.hidden_patterns() == []


def _exchange(text: str) -> Exchange:
    return Exchange(1, "e", ANN.key, "private", text, text, text, MONDAY, "", "", "")


def _numbered(text: str) -> None:
    exchange = _exchange(text)
    said = "".join(f"{message['role']}: {message['content']}\n" for message in extraction_prompt.messages([exchange]))
    extraction_prompt.numbered(f"x\n\n## New Messages\n{said}\n\n## Observation Date\n2026-01-01\n\nrest", [exchange])


def _extraction(text: str) -> None:
    for answer in (text, f'{{"memory": [{{"text": {json.dumps(text)}}}]}}', f'{{"memory": [{text}'):
        try:
            extraction_answer.read(answer)
        except extraction_answer.Unreadable:
            continue


def _view(text: str) -> View:
    return View(text, (Item(1, text, text, f"https://{text}"),), text, code="AAAA-BBBB")


def _prompt(text: str) -> None:
    earlier = [turn("user", text, person=BOB, name=text), turn("user", text)]
    prompt.build(text, replace(message(text, place=GENERAL), quoted=text), [memory(text)], earlier, room=2 * len(text))


#: Everything that reads text from outside, by name, and how it is called with one.
FUNCTIONS: dict[str, Callable[[str], object]] = {
    "clean": clean,
    "split_markdown": lambda text: split_markdown(text, 1998),
    "split_markdown short": lambda text: split_markdown(text, 64),
    "discord markdown": discord_markdown.markdown,
    "slack mrkdwn": slack_markdown.mrkdwn,
    "slack plain": lambda text: slack_text.plain(text, "U1", {}),
    "slack sentences": lambda text: (slack_text.rest(text, text[:-1]), list(slack_text.sentences(text))),
    "slack mentions": lambda text: (slack_text.mentioned(text), slack_text.mentions_group(text)),
    "slack escape": lambda text: (slack_text.escape(text), slack_text.literal(text)),
    "slack view": lambda text: (slack_views.blocks(_view(text)), slack_views.text(_view(text))),
    "discord mention": lambda text: discord_text.without_mention(text, 1, 2),
    "discord resolved": lambda text: discord_text.resolved(text, {}, None),
    "discord escape": discord_text.escape,
    "discord view": lambda text: discord_views.render(_view(text)),
    "terminal printable": terminal_input.printable,
    "printable": printable,
    "one line": one_line,
    "log": lambda text: [
        logs._text(logging.LogRecord(name, 20, "x", 1, "%s", (text,), None)) for name in ("bot", "slack_bolt")
    ],
    "question": notebook.is_question,
    "tells": notebook.tells,
    "asides": lambda text: asides.without(f"{text}{asides.INTRODUCTION[:40]}"),
    "prompt": _prompt,
    "quote": quote,
    "spoken command": lambda text: spoken.command(text, MONDAY),
    "thoughts": thoughts.spoken,
    "thoughts in pieces": lambda text: [thoughts.Thoughts().feed(text[at : at + 50]) for at in range(0, len(text), 50)],
    "extraction answer": _extraction,
    "extraction prompt": _numbered,
    "user ids": lambda text: (embedded._id(text), hosted_rows.person_id(f"x{text}")),
    "row": lambda text: words.row(text, 100),
    "detail": lambda text: listing.detail(memory(text), 1, text, UTC),
    "secrets": lambda text: secrets.mask(text, secrets.found(text[: len(text) // 2])),
    "passwords": lambda text: (secrets.holds(f"password {text} token"), secrets.found(f"password: {text}")),
    "fold": lambda text: keywords.bare(keywords.fold(text)),
    "stem": keywords.stem,
    "stems": keywords.stems,
    "terms": lambda text: (keywords.terms(text), keywords.content_terms(text), keywords.changed(text)),
    "signature": keywords.signature,
    "words sought": lambda text: keywords.Words(text).match("זה 猫 a"),
    "words found": lambda text: keywords.Words("zzz 猫 כלב").match(text),
    "time": lambda text: time_expressions.find(text, MONDAY),
    "time alone": lambda text: time_expressions.alone(text, MONDAY),
    "ranking": lambda text: ranking.fit([text, text, "a"], [datetime.now(UTC)] * 3, len(text)),
}

#: Loops over a text that are run by those above, or that run those over parts of a bounded length.
WITHIN = {
    *("adapters.discord.answer:Answer._parts", "adapters.discord.views:_with_code", "adapters.slack.views:_with_code"),
    *(
        "adapters.common.markdown_render:Growing.render",
        "adapters.common.markdown_render:_unread",
        "adapters.common.markdown_render:_width",
    ),
    *("adapters.slack.text:plain", "adapters.slack.text:parts", "bot.text.clean:printable"),
    *("adapters.common.text:split_markdown", "adapters.common.text:_Splitter.add", "bot.commands.listing:detail"),
    *(f"adapters.slack.text:{name}" for name in ("_fitting", "sentences", "halves", "rest")),
    *("adapters.slack.growing_markdown:settled", "adapters.slack.growing_markdown:_open"),
    "bot.memory.embedded.extraction_answer:_partial_rows",
    *(f"bot.text.secrets:{name}" for name in ("found", "_spans", "_occurrences", "_card_length", "_checks_out")),
    *(f"bot.text.told_passwords:{name}" for name in ("_stated", "_named_after", "_unspaced")),
    *("bot.memory.vectors.told:_says_the_same", "bot.memory.vectors.told:_numbers"),
    *(f"bot.text.keywords:{name}" for name in ("_peeled", "_tokens", "_pairs", "stems", "terms", "content_terms")),
    *("bot.text.keywords:changed", "bot.text.keywords:Words._held", "bot.memory.recall.ranking:_Wording.of"),
    *("bot.text.time_expressions:_expressions", "bot.text.time_expressions:_lower", "bot.text.clean:quote"),
    "bot.core.asides:above",
    *("bot.chat.notebook:tells", "bot.chat.notebook:_is_statement"),
}
#: Loops that no text of anybody's runs through: over ids and rows; or whose text is cut before (a command's argument,
#: a code of `/link`), or handed to another library.
OTHERS = {
    *("bot.commands.forgetting:Forgetting.propose", "bot.commands.forgetting:Forgetting._nearest"),
    "bot.network:_tls",
    *("bot.core.identity:Identities.others", "bot.journal.pauses:move", "bot.journal.workers:reap_dead"),
    *(
        "bot.commands.linking:digest",
        "bot.memory.recall.embedder:Mem0Embedder.embed",
        "bot.memory.recall.embedder:Mem0Embedder.embed_batch",
    ),
    *(f"bot.memory.hosted.rights:HostedRights.{name}" for name in ("move", "_accounts")),
    *("bot.core.usage_report:_column", "bot.ports.allow_list:split"),
    *("bot.core.spending:LimitedSpending.check", "bot.prices:parse"),
    *(
        "bot.memory.vectors.postgres.schema:switch",
        "bot.core.prompt:ladder",
        "bot.privacy.rights:Rights.export",
    ),
    "bot.memory.vectors.base:VectorStore.forget_sources",
}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_are_linear(name: str) -> None:
    """Each function that reads text from outside."""
    # From where the bounds of blocks (12,000 characters) are passed: what is within them may take its square.
    check(FUNCTIONS[name], SIZES[1:])


def test_every_loop_over_a_text_is_known() -> None:
    """A function with a loop over a text it is given is measured above, or said to meet no text of anybody's."""
    assert set(scanners.loops()) == WITHIN | OTHERS


def test_a_quadratic_pattern_is_noticed() -> None:
    """What the tests above are there for fails them."""
    late = re.compile(r"[ \t]*x")
    assert growth(lambda text: late.search(text.replace("x", "")), (" ", "x"), SIZES) > TOO_MUCH
