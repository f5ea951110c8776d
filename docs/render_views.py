"""Draws the pictures in docs/views/ and renews the payloads in docs/views.md: `python -m docs.render_views`.

The commands run on the tests' stubs, and the adapters turn what they answer into payloads; this draws those as HTML,
photographed by `chromium`. The pictures are drawings of payloads, not screenshots of Slack or Discord.
"""

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.discord import views as discord_views
from adapters.discord.foot import with_foot
from adapters.slack import foot as slack_foot
from adapters.slack import views as slack_views
from adapters.slack.forms import Form as Parts
from bot.commands import learned_lines
from bot.commands.offers import Offers
from bot.events import CommandEvent, MessageEvent, PressEvent
from bot.model import SHARED_SCOPE, Audience, Memory, Person, Place, Source
from bot.views import Foot, Form, View
from docs import draw_views
from tests.parts import make_commands
from tests.stub_journal import StubJournal
from tests.stubs import StubMemory, StubReplyHandle

HERE = Path(__file__).parent
#: Discord's flag of a message whose text is a component as well.
COMPONENTS_V2 = 1 << 15
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
ANN = {"slack": Person("slack", "T0ACME", "U0ANN"), "discord": Person("discord", "", "301177420058132481")}
DM = Place("slack", "T0ACME", "D0ANN", None, Audience.PRIVATE, "DM")
GUILD, OPS = "410223377420058132", "1002236129004351749"
#: Name, link and scope of the places that taught something.
SPOTS = {
    "DM": ("https://acme.slack.com/archives/D08K3ANN7QX/p1763{:012}", "private"),
    "#running": ("https://acme.slack.com/archives/C04RUNP2M8T/p1763{:012}", "public:slack:T0ACME"),
    "#team-ops": (f"https://discord.com/channels/{GUILD}/{OPS}/1438{{:015}}", f"members:discord:{GUILD}:{OPS}"),
}
#: Days ago, place, text; newest first.
TOLD = (
    (1, "#running", "Runs the Hamburg marathon on 25 April 2027."),
    (2, "DM", "Is allergic to hazelnuts."),
    (4, "#team-ops", "Is on call every second Thursday."),
    (6, "DM", "Has moved from Leeds to Bristol."),
    (9, "#running", "Trains for a marathon under four hours, with intervals on Tuesdays."),
    (13, "DM", "Prefers answers as short lists."),
    (15, "#team-ops", "Looks after the billing service with Tom."),
    (20, "DM", "Has a daughter, Ida, who turns six on 3 March."),
    (24, "DM", "Drinks tea, no coffee."),
    (31, "#team-ops", "Writes Go at work and Python at home."),
    (40, "DM", "Lives in Leeds."),
    (52, "DM", "Is learning Portuguese for a trip to Lisbon."),
)
LEEDS, TEA, LISTS = 10, 8, 5
HOME = "The app’s Home tab"
CHEERS = "That's a fine one for a first marathon: flat, and cool in April. Shall we plan the long runs back from there?"
WISH = (
    "Press the button below to see what I would forget about Leeds. Nothing is forgotten before you confirm it there."
)
#: Which frames stand beneath each other in a picture.
COLUMNS = {"memories": [[0], [1, 2, 3]], "changes": [[0, 1, 4], [2, 3]], "account": [[0, 2, 3], [1, 4]]}
COLUMNS["below"] = [[0, 1, 3], [2, 4]]
#: The payloads that docs/views.md shows: picture and place in it.
QUOTED = {"slack": ("memories", 2), "discord": ("memories", 1)}


def remembered(count: int) -> list[Memory]:
    """The last so many memories: one in place of another, one edited, one opened to channels, one told twice."""
    memories = []
    for number, (days, spot, text) in enumerate(TOLD[:count]):
        at, (link, scope) = NOW - timedelta(days=days, minutes=17 * number), SPOTS[spot]
        sources = [Source(f"e{number}", at, spot, link.format(number * 7351))]
        if number == 1:
            sources.append(Source("again", at + timedelta(hours=20), spot, link.format(99)))
        newer = "m3" if number == LEEDS else None
        edited = at + timedelta(days=1) if number == LISTS else None
        scope = SHARED_SCOPE if number == TEA else scope
        memories.append(Memory(f"m{number}", text, at, scope, tuple(sources), newer, edited))
    return memories


@dataclass(frozen=True)
class Answer:
    """An answer that everybody in its channel sees, and what stands below it."""

    text: str
    foot: Foot


class Desk:
    """One person's commands, on so many memories."""

    def __init__(self, person: Person, count: int) -> None:
        self.person, self.memory, journal = person, StubMemory(), StubJournal()
        self.memory.of[person.key] = remembered(count)
        self.commands = make_commands(journal, self.memory, preferences=journal.preferences)
        self.offers = Offers(self.commands.forgetting, lambda: NOW)

    async def run(self, name: str, argument: str = "") -> View:
        return await self.commands.run(CommandEvent(self.person, DM, name, argument, NOW))

    def pressed(self, view: View, label: str) -> PressEvent:
        choices: tuple[Any, ...] = (*view.buttons, *view.menu)
        action = next(choice.action for choice in choices if choice.label.startswith(label))
        return PressEvent(self.person, DM, action, NOW)

    async def press(self, view: View, label: str) -> View:
        return await self.commands.press(self.pressed(view, label))

    async def press_below(self, foot: Foot) -> View:
        return await self.commands.press(PressEvent(self.person, DM, foot.buttons[0].action, NOW))

    async def offered(self, what: str) -> Foot:
        """What stands below the answer to a wish to have something forgotten, in a channel."""
        reply = StubReplyHandle()
        channel = Place(self.person.platform, "", "C0RUN", None, Audience.PUBLIC, "#running")
        wish = MessageEvent("e", self.person, channel, "", "Ann", NOW)
        await self.offers.make(wish, reply, ("m",), forget=(what,))
        return reply.feet[0]


Scene = tuple[str, View | Form | Answer]


async def scenes(platform: str) -> dict[str, list[Scene]]:
    """Every view, by the picture that it is in: what was done, and what is shown for it."""
    desk, new, nobody = Desk(ANN[platform], 12), Desk(ANN[platform], 3), Desk(ANN[platform], 0)
    listed, few = await desk.run("memories"), await new.run("memories")
    older, one = await desk.press(listed, "Older"), await desk.press(listed, "2.")
    found = await desk.run("memories", "marathon")
    edit, matching = await desk.commands.open_form(desk.pressed(one, "Edit")), await desk.run("forget", "marathon")
    lately = await desk.run("forget", "last week")
    proposed = await desk.run("forget")
    gone = await desk.press(proposed, "Forget everything")
    paused = await new.press(few, "Pause memory")
    shown: dict[str, list[Scene]] = {"memories": [("/memories", listed)]}
    shown["memories"] += [("… then the button “Older”", older), (f"… or the choice “{one.title}”", one)]
    shown["memories"] += [("… or the button “Search” (or /memories marathon)", found)]
    shown["changes"] = [("A memory, then the button “Edit”", edit), ("/forget marathon", matching)]
    shown["changes"] += [("/forget", proposed), ("… then the button “Forget everything”", gone)]
    shown["changes"] += [("/forget last week, on a Friday", lately)]
    shown["account"] = [("/memories, then the button “Pause memory”", paused)]
    shown["account"] += [("/memories while paused", await new.run("memories")), ("/link", await new.run("link"))]
    shown["account"] += [(HOME if platform == "slack" else "/memories", few)]
    shown["account"] += [("/memories of somebody new", await nobody.run("memories"))]
    shown["below"] = await below(platform)
    return shown


async def below(platform: str) -> list[Scene]:
    """What stands below answers, and what it opens: what was learned, and what would be forgotten."""
    desk, both = Desk(ANN[platform], 12), Desk(ANN[platform], 12)
    taught = learned_lines.foot("e0")
    told = both.memory.of[both.person.key]
    for number in (0, 1):
        told[number] = replace(told[number], learned_at=told[0].learned_at, sources=told[0].sources)
    wish = await desk.offered("Leeds")
    return [
        ("“I’m running the Hamburg marathon on 25 April.”", Answer(CHEERS, taught)),
        (f"… then the button “{learned_lines.LABEL}”", await desk.press_below(taught)),
        (f"… or, if it was two things, “{learned_lines.LABEL}”", await both.press_below(taught)),
        ("“Forget that I lived in Leeds.”", Answer(WISH, wish)),
        (f"… then the button “{wish.buttons[0].label}”", await desk.press_below(wish)),
    ]


def answered(platform: str, answer: Answer) -> Any:
    """What the adapter sends for an answer with something below it."""
    if platform == "slack":
        parts = [*Parts("e").content(answer.text)["blocks"], *slack_foot.blocks(answer.foot, ANN["slack"])]
        return {"type": "answer", "blocks": parts}
    wanted = with_foot(answer.text, (), answer.foot, int(ANN["discord"].user))
    assert wanted is not None
    assert wanted[1] is not None
    return {"content": wanted[0], "components": wanted[1].to_components()}


def payload(platform: str, done: str, view: View | Form | Answer) -> Any:
    """What the adapter sends for it."""
    if isinstance(view, Answer):
        return answered(platform, view)
    if platform == "slack":
        if isinstance(view, Form):
            return slack_views.modal(view, "")
        return slack_views.home(view, None, "") if done == HOME else slack_views.blocks(view)
    if isinstance(view, Form):
        return discord_views.modal(view).to_dict()
    shown: Any = discord_views.layout(view)
    return {"flags": COMPONENTS_V2, "components": shown.to_components()}


async def payloads(platform: str) -> dict[str, list[tuple[str, Any]]]:
    """The same scenes, as what the adapter sends."""
    shown = await scenes(platform)
    return {name: [(done, payload(platform, done, view)) for done, view in rows] for name, rows in shown.items()}


def quoted(platform: str, shown: dict[str, list[tuple[str, Any]]]) -> str:
    """The payload of that platform that docs/views.md shows, as JSON."""
    name, place = QUOTED[platform]
    return json.dumps(shown[name][place][1], indent=2, ensure_ascii=False)


def main() -> None:
    """Draw all pictures, and put the payloads into docs/views.md."""
    page = HERE / "views.md"
    for platform in ANN:
        shown = asyncio.run(payloads(platform))
        for name, columns in COLUMNS.items():
            frames = [[shown[name][place] for place in column if place < len(shown[name])] for column in columns]
            picture = HERE / "views" / f"{platform}-{name}.png"
            draw_views.photograph(draw_views.page(platform, frames), picture)
        before, mark, rest = page.read_text().partition(f"<!-- {platform} -->\n```json\n")
        page.write_text(f"{before}{mark}{quoted(platform, shown)}\n```{rest.partition('```')[2]}")


if __name__ == "__main__":
    main()
