"""Slack as somebody else built it: the npm package `local-slack-linux-x64`, an independent server on loopback."""

import asyncio
import json
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.slack.adapter import SlackAdapter
from bot.config import Settings
from bot.views import Button, File, Item, Option, View
from tests.adapters.slack.core import ScriptedCore, running

PACKAGE, VERSION = "local-slack-linux-x64", "0.1.8"
BUTTONS = (Button("Edit", "edit:7", opens_form=True), Button("Export", "export:"))
MENU = (Option("1. Likes <tea>", "open:7"),)
ALICE, GENERAL, BOT = "U01ALICE", "C01GEN", "U0BOT"
SECRET = "an-independent-secret"


def _binary() -> Path:
    """The server's program, installed once into the machine's temporary folder; skips where it can't be had."""
    folder = Path(tempfile.gettempdir()) / f"{PACKAGE}-{VERSION}"
    binary = folder / "node_modules" / PACKAGE / "bin" / "local-slack"
    if binary.exists():
        return binary
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, and the independent Slack comes from there")
    folder.mkdir(exist_ok=True)
    command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), f"{PACKAGE}@{VERSION}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm could not install {PACKAGE} within 90 s")
    if done.returncode or not binary.exists():
        pytest.skip(f"npm can't install {PACKAGE}: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}")
    return binary


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class LocalSlack:
    """The running server, driven through its control API."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self._http = http

    async def do(self, what: str, /, **body: Any) -> dict[str, Any]:
        """What a person does."""
        async with self._http.post(f"{self.url}/_control/{what}", json=body) as response:
            result: dict[str, Any] = await response.json()
            assert result["ok"], result
            return result

    async def messages(self, channel: str) -> list[dict[str, Any]]:
        """All that is in a channel, what only one person sees included."""
        async with self._http.get(f"{self.url}/_control/messages/{channel}") as response:
            found: list[dict[str, Any]] = (await response.json())["messages"]
            return found

    async def ui(self, doing: dict[str, Any], shown: Callable[[dict[str, Any]], Any]) -> Any:
        """Do something as its own web page does, and return what `shown` finds in what the page is told then."""
        async with asyncio.timeout(15), self._http.ws_connect(f"{self.url}/ui") as page:
            await page.receive_json()  # all there is
            await page.send_json(doing)
            while not (found := shown(await page.receive_json())):
                pass
            return found

    async def until(self, channel: str, there: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The first of the bot's messages in a channel that is as told."""
        async with asyncio.timeout(15):
            while True:
                for message in await self.messages(channel):
                    if message.get("user") == BOT and there(message):
                        return message
                await asyncio.sleep(0.05)


@pytest.fixture(params=["socket", "events"])
async def there(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[LocalSlack, ScriptedCore]]:
    """The independent Slack, with our adapter connected to it: over Socket Mode, and over signed HTTP."""
    port, own_port = _free_port(), _free_port()
    app = {
        "appId": "A01APP",
        "botUserId": BOT,
        "botName": "memory",
        "botToken": "xoxb-independent",
        "appToken": "xapp-independent",
        "signingSecret": SECRET,
        "mode": request.param,
        "requestUrl": f"http://127.0.0.1:{own_port}/slack/events",
    }
    config = {
        "workspace": {"name": "Elsewhere", "domain": "elsewhere", "teamId": "T01ELSE"},
        "apps": [app],
        "users": [{"id": ALICE, "name": "alice", "real_name": "Alice Anderson"}],
        "channels": [{"id": GENERAL, "name": "general", "members": [ALICE, BOT]}],
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    command = [str(await asyncio.to_thread(_binary)), "--config", str(path), "--port", str(port)]
    server = await asyncio.create_subprocess_exec(
        *command, "--base-host", "127.0.0.1", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    values: dict[str, Any] = {
        "slack_bot_token": "xoxb-independent",
        "slack_app_token": "xapp-independent" if request.param == "socket" else None,
        "slack_signing_secret": SECRET if request.param == "events" else None,
        "slack_api_base": f"http://127.0.0.1:{port}/api",
        "port": own_port,
    }
    core = ScriptedCore()
    try:
        settings = Settings(_env_file=None, **values)  # type: ignore[call-arg]
        async with aiohttp.ClientSession() as http, running(SlackAdapter(settings, core)):
            yield LocalSlack(f"http://127.0.0.1:{port}", http), core
    finally:
        server.kill()
        await server.wait()


async def test_whole_way(there: tuple[LocalSlack, ScriptedCore]) -> None:
    """Direct messages, mentions, follow-ups, commands and buttons work on a Slack that we didn't build."""
    slack, core = there
    said = (await slack.do("message", channel=ALICE, user=ALICE, text="hello"))["message"]
    dm = said["channel"]
    assert (await slack.until(dm, lambda message: True))["text"] == "You said: hello"

    root = (await slack.do("message", channel=GENERAL, user=ALICE, text=f"<@{BOT}> hi"))["message"]["ts"]
    answer = await slack.until(GENERAL, lambda message: True)
    assert (answer["text"], answer["thread_ts"]) == ("You said: hi", root)

    await slack.do("message", channel=GENERAL, user=ALICE, text="and more", thread_ts=root)
    await slack.until(GENERAL, lambda message: message["text"] == "You said: and more")

    await slack.do("command", channel=GENERAL, user=ALICE, command="/memories", text="tea")
    shown = await slack.until(GENERAL, lambda message: "Likes tea" in message["text"])
    assert (shown["subtype"], core.commands[0].argument) == ("ephemeral", "tea")

    buttons = next(block for block in shown["blocks"] if block["type"] == "actions")["elements"]
    await slack.do("interact", channel=GENERAL, messageTs=shown["ts"], user=ALICE, action=buttons[0])
    await slack.until(GENERAL, lambda message: "Pressed forget:7" in message["text"])
    assert core.presses[0].person.user == ALICE

    await slack.do("message", channel=GENERAL, user=ALICE, text=f"<@{BOT}> memories", thread_ts=root)
    shown = await slack.until(
        GENERAL, lambda message: "Likes tea" in message["text"] and message.get("thread_ts") == root
    )
    assert (shown["subtype"], shown["ephemeral_to"]) == ("ephemeral", ALICE)

    assert [event.text for event in core.events] == ["hello", "hi", "and more"]
    assert [event.name for event in core.events] == ["alice"] * 3
    assert len([message for message in await slack.messages(dm) if message.get("user") == BOT]) == 1


async def test_surfaces(there: tuple[LocalSlack, ScriptedCore]) -> None:
    """The App Home, its buttons, a form and a file work on a Slack that we didn't build."""
    slack, core = there
    core.listing = View("I remember 1 thing about you", (Item(1, "Likes <tea>"),), "", BUTTONS, MENU, "Choose one")
    core.pressed = lambda event: View(f"Pressed {event.action}", file=File("memories.json", b"{}"), changed=True)

    def home(told: dict[str, Any]) -> Any:
        return told["view"] if told["t"] == "home" and told["user"] == ALICE else None

    view = await slack.ui({"t": "open_home", "user": ALICE}, home)
    assert "Likes <tea>" in json.dumps(view["blocks"])
    await slack.do("command", channel=GENERAL, user=ALICE, command="/memories", text="")
    shown = await slack.until(GENERAL, lambda message: "1 thing" in message["text"])
    menu, buttons = [block["elements"] for block in shown["blocks"] if block["type"] == "actions"]
    chosen = {**menu[0], "selected_option": menu[0]["options"][0]}
    pressing = {"t": "block_action", "channel": GENERAL, "messageTs": shown["ts"], "user": ALICE}
    # What the choice changed is in the App Home at once, and the file in the direct messages.
    assert await slack.ui({**pressing, "action": chosen}, home)
    assert core.presses[0].action == "open:7"
    dm = (await slack.do("message", channel=ALICE, user=ALICE, text="thanks"))["message"]["channel"]
    sent = await slack.until(dm, lambda message: message.get("files"))
    assert [file["name"] for file in sent["files"]] == ["memories.json"]

    def modal(told: dict[str, Any]) -> Any:
        return told["stack"] if told["t"] == "view" else None

    form = (await slack.ui({**pressing, "action": buttons[0]}, modal))[-1]
    assert form["title"]["text"] == "Edit what I remember"
    filled = {"text": {"text": {"type": "plain_text_input", "value": "Likes cocoa"}}}
    await slack.ui({"t": "view_submit", "user": ALICE, "values": filled}, lambda told: told["t"] == "view")
    await slack.until(GENERAL, lambda message: message["text"] == "Now it says Likes cocoa")
    assert [(event.action, event.text) for event in core.submits] == [("edit:7", "Likes cocoa")]
