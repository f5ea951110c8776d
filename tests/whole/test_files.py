"""Pictures, PDFs and text files, on both platforms at the wire: the bot as a child process, and what Claude gets."""

import asyncio
import base64
import contextlib
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.fakes import claude_files
from tests.fakes.claude import FakeClaude, Reply, Request, default, is_extraction, last_text, new_messages, turns_of
from tests.fakes.discord import FakeDiscord
from tests.fakes.slack import FakeSlack
from tests.files import samples
from tests.hostile import traces
from tests.hostile.stage import new_word
from tests.makers import until
from tests.whole.process import BotProcess

PIXEL = samples.picture(60, 40)


class Line(Protocol):
    """A person who talks to the bot directly, on one platform."""

    name: str
    #: What every file's size is said to be, if not what it is.
    size: int | None

    def environment(self) -> dict[str, str]: ...

    async def send(self, text: str, files: Mapping[str, bytes]) -> str: ...

    async def answer(self, message: str) -> str: ...

    def faults(self, *faults: int) -> None: ...

    @property
    def fetched(self) -> int: ...


class OnDiscord:
    """Ann on Discord."""

    name = "discord"

    def __init__(self, fake: FakeDiscord) -> None:
        self.fake = fake
        self.size: int | None = None

    def environment(self) -> dict[str, str]:
        return {"DISCORD_TOKEN": self.fake.token, "DISCORD_API_BASE": self.fake.url}

    async def send(self, text: str, files: Mapping[str, bytes]) -> str:
        if self.size is None:
            return await self.fake.dm("ann", text, files=files)
        kind, about = "application/octet-stream", {"size": self.size}
        told = [self.fake.file(name, content, kind) | about for name, content in files.items()]
        channel = self.fake.dm_with("ann")
        message = self.fake.message(channel, self.fake.user("ann"), text) | {"attachments": told}
        channel.messages[message["id"]] = message
        await self.fake.gateway.dispatch("MESSAGE_CREATE", message)
        return str(message["id"])

    async def answer(self, message: str) -> str:
        return await self.fake.answer_to(message, within=40)

    def faults(self, *faults: int) -> None:
        self.fake.cdn_failures[:] = [0 if fault == 200 else fault for fault in faults]

    @property
    def fetched(self) -> int:
        return len(self.fake.fetched)


class OnSlack:
    """Ann on Slack."""

    name = "slack"

    def __init__(self, fake: FakeSlack) -> None:
        self.fake = fake
        self.size: int | None = None
        #: How a whole answer ends: its first words may be shown before the others.
        self.ends = "."

    def environment(self) -> dict[str, str]:
        return self.fake.environment()

    async def send(self, text: str, files: Mapping[str, bytes]) -> str:
        about: dict[str, Any] = {} if self.size is None else {"size": self.size}
        return await self.share(text, *(self.fake.file(name, content, **about) for name, content in files.items()))

    async def share(self, text: str, *files: dict[str, Any]) -> str:
        extra: dict[str, Any] = {"files": list(files), "subtype": "file_share"} if files else {}
        return await self.fake.dm("UANN", text, **extra)

    async def answer(self, message: str) -> str:
        channel = self.fake.dm_channel("UANN")
        return await self.fake.answer(channel, until=lambda text: text.endswith(self.ends), after=message)

    def faults(self, *faults: int) -> None:
        self.fake.file_faults.clear()
        self.fake.file_faults += faults

    @property
    def fetched(self) -> int:
        return len(self.fake.fetched)


@contextlib.asynccontextmanager
async def open_line(platform: str) -> AsyncIterator[Any]:
    """Ann on one platform."""
    if platform == "discord":
        async with FakeDiscord() as discord:
            yield OnDiscord(discord)
    else:
        async with FakeSlack(patience=40) as slack:
            yield OnSlack(slack)


@pytest.fixture(params=["discord", "slack"])
async def line(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """Ann on either platform."""
    async with open_line(request.param) as opened:
        yield opened


@pytest.fixture
async def claude() -> AsyncIterator[FakeClaude]:
    """A Messages API on loopback, whose answers repeat nothing."""
    async with FakeClaude(lambda request: default(request) if is_extraction(request) else "Understood.") as server:
        yield server


@contextlib.asynccontextmanager
async def running(folder: Path, claude: FakeClaude, line: Any, **settings: str) -> AsyncIterator[BotProcess]:
    """The bot on that platform."""
    async with process(folder, claude, line, **settings) as bot:
        await bot.said(f"{line.name}: listening")
        yield bot


def process(folder: Path, claude: FakeClaude, line: Any, **settings: str) -> BotProcess:
    """The bot on that platform, not yet started."""
    env = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, **line.environment(), **settings}
    return BotProcess(folder, env)


async def ask(bot: BotProcess, line: Any, text: str, files: Mapping[str, bytes]) -> str:
    """Send a message and return its answer, once that is written down."""
    before = answered(bot)
    said: str = await line.answer(await line.send(text, files))
    await until(lambda: answered(bot) > before, 40)
    return said


def answered(bot: BotProcess) -> int:
    """How many answers the bot has written down."""
    return sum(": answered:" in line for line in bot.log)


def shown(request: Request, kind: str) -> list[bytes]:
    """The contents of the pictures (`image`) or PDFs (`document`) in a request."""
    return [claude_files.content_of(block) for block in claude_files.blocks(request, kind)]


async def test_pictures_documents_and_texts_reach_claude(tmp_path: Path, claude: FakeClaude, line: Any) -> None:
    """Each is what its content is, unaltered, whatever it is called; what can't be opened is told with the reason."""
    document = samples.pdf(2)
    files = {
        "notes.png": PIXEL,
        "photo.txt": samples.picture(50, 50, "JPEG"),
        "report.docx": document,
        "data.bin": b"city,people\nPorto,231800\n",
        "clip.mp4": b"\0\0\0\x18ftypmp42" + b"\0" * 40,
        "nothing.txt": b"",
    }
    async with running(tmp_path, claude, line) as bot:
        await ask(bot, line, "What are these?", files)
        (request,) = claude.chats
        assert shown(request, "image") == [PIXEL, files["photo.txt"]]
        assert shown(request, "document") == [document]
        asked = last_text(request)
        assert '("data.bin", as text:)\n> city,people\n> Porto,231800' in asked
        assert '("clip.mp4" is not shown to you: it is a video.)' in asked
        assert '("nothing.txt" is not shown to you: it is empty.)' in asked
        assert asked.index('("notes.png":)') < asked.index("What are these?")
        # In what follows, each is a line of text; what was said of it is learned, and nothing else of it.
        await ask(bot, line, "Thank you.", {})
        later = claude.chats[-1]
        assert shown(later, "image") == shown(later, "document") == []
        assert '(Attached: "notes.png", "photo.txt", "report.docx"' in str(later["messages"][0])
        assert "Porto" not in str(later)
        await until(lambda: bool(claude.extractions), 40)
        learned = new_messages(last_text(claude.extractions[0]))
        assert '(Attached: "notes.png"' in learned[0][1]
        assert "Porto" not in learned[0][1]
    assert claude.tokens["input"] > 2 * claude_files.PAGE


async def test_a_picture_alone_is_answered(tmp_path: Path, claude: FakeClaude, line: Any) -> None:
    """No words are needed; and what Claude says of it is there for the next question, and learned."""
    claude.script.append(Reply("That is a red bicycle."))
    async with running(tmp_path, claude, line) as bot:
        assert await ask(bot, line, "", {"bike.png": PIXEL}) == "That is a red bicycle."
        assert shown(claude.chats[0], "image") == [PIXEL]
        await ask(bot, line, "Whose is it?", {})
        said = [text for _, text in turns_of(claude.chats[-1])]
        assert said[:2] == ['(Attached: "bike.png")', "That is a red bicycle."]
        await until(lambda: bool(claude.extractions), 40)
        exchange = new_messages(last_text(claude.extractions[0]))[0]
        assert exchange[1:] == ('(Attached: "bike.png")', "That is a red bicycle.")


async def test_what_cannot_be_had_is_told(tmp_path: Path, claude: FakeClaude, line: Any) -> None:
    """A file that isn't handed out, is damaged, too large or a bomb costs no answer: Claude is told which, and why."""
    cut = samples.picture(300, 300, noise=True)[:400]
    large = {"large.bin": b"x" * (20 * 2**20 + 1)}
    bad = {"cut.png": cut, "bomb.png": samples.bomb(), "locked.pdf": samples.pdf(password="x"), "fine.png": PIXEL}
    async with running(tmp_path, claude, line) as bot:
        line.faults(403, 403, 403)
        await ask(bot, line, "What is this?", {"a.png": PIXEL})
        assert '"a.png" is not shown to you: it couldn\'t be downloaded' in last_text(claude.chats[0])
        line.faults(503, 429, 200)
        before = asyncio.get_running_loop().time()
        await ask(bot, line, "And this?", {"b.png": PIXEL})
        assert asyncio.get_running_loop().time() - before >= 1  # as the rate limit asks
        assert shown(claude.chats[1], "image") == [PIXEL]
        await ask(bot, line, "And these?", bad)
        asked = last_text(claude.chats[2])
        assert '"cut.png" is not shown to you: it is damaged or cut short.' in asked
        assert '"bomb.png" is not shown to you: it has more pixels than can be opened.' in asked
        assert '"locked.pdf" is not shown to you: it is encrypted: it has a password' in asked
        assert shown(claude.chats[2], "image") == [PIXEL]
        fetched = line.fetched
        await ask(bot, line, "And that?", large)
        assert '"large.bin" is not shown to you: it is larger than 20 MB.' in last_text(claude.chats[3])
        assert line.fetched == fetched
        await ask(bot, line, "And all these?", {f"{number}.png": PIXEL for number in range(12)})
        assert len(shown(claude.chats[4], "image")) == 10
        assert "isn't among the first 10 files" in last_text(claude.chats[4])


async def test_as_much_as_fits_and_what_lies_about_its_size(tmp_path: Path, claude: FakeClaude, line: Any) -> None:
    """Nearly 20 MB go through, as they are; a file that is larger than it is said to be is read no further."""
    large = samples.pdf(1) + b"%" * (19 * 2**20)
    async with running(tmp_path, claude, line) as bot:
        await ask(bot, line, "And this?", {"large.pdf": large})
        assert [len(content) for content in shown(claude.chats[0], "document")] == [len(large)]
        line.size = 100
        await ask(bot, line, "And that?", {"liar.txt": b"x" * (60 * 2**20), "fine.png": PIXEL})
        assert '"liar.txt" is not shown to you: it ' in last_text(claude.chats[1])
        assert shown(claude.chats[1], "image") == [PIXEL]


async def test_a_file_that_claude_refuses_costs_no_answer(tmp_path: Path, claude: FakeClaude, line: Any) -> None:
    """The question is asked again without its files, and says so; what was said before it stays."""

    def picky(request: Request) -> Reply | str:
        if claude_files.blocks(request, "image"):
            return Reply("Could not process image", status=400, error="invalid_request_error")
        return "I couldn't see it."

    claude.handler = picky
    async with running(tmp_path, claude, line) as bot:
        await ask(bot, line, "My bike is red.", {})
        assert await ask(bot, line, "This one", {"bike.png": PIXEL}) == "I couldn't see it."
        asked = claude.chats[-1]
        assert '"bike.png" is not shown to you: it was refused together with this request.' in last_text(asked)
        assert "My bike is red." in str(asked["messages"])


async def test_an_answer_that_is_redone_fetches_anew(tmp_path: Path, claude: FakeClaude, line: Any) -> None:
    """What was being answered when the process died is answered by the next, file and all: a reference was kept."""
    word = new_word()
    content = f"The code is {word}.\n".encode() * 3
    claude.script.append(Reply("Let me", hang_after=1))
    first = process(tmp_path, claude, line)
    await first.start()
    await first.said(f"{line.name}: listening")
    message = await line.send("Read this.", {"code.txt": content})
    await claude.busy(1)
    await first.end(signal.SIGKILL)
    assert traces.in_files(tmp_path / "data", [word]) == []
    claude.release()
    async with running(tmp_path, claude, line) as again:
        await until(lambda: len(claude.chats) == 2, 40)
        assert word in last_text(claude.chats[1])
        assert await line.answer(message)
        assert line.fetched == 2
        await until(lambda: bool(claude.extractions), 40)
        assert traces.in_files(tmp_path / "data", [word]) == []
        assert not any(word in told or "code.txt" in told for told in (*first.log, *again.log, *again.out))


async def test_files_on_other_hosts_and_sign_in_pages(tmp_path: Path, claude: FakeClaude) -> None:
    """Slack's token goes to Slack alone: no other host is asked, no redirect followed, no page taken for a file."""
    async with open_line("slack") as line, FakeSlack() as other, running(tmp_path, claude, line) as bot:
        slack = line.fake
        other.bot_token = slack.bot_token
        stolen = other.file("a.png", PIXEL)
        await line.answer(await line.share("1", slack.file("a.png", PIXEL) | stolen))
        slack.file_faults.append(stolen["url_private"])
        await line.answer(await line.share("2", slack.file("b.png", PIXEL)))
        slack.file_faults.append("sign in")
        await line.answer(await line.share("3", slack.file("c.png", PIXEL)))
        page = b"<html>a page of ours</html>"
        slack.file_faults += ["sign in", 200]
        await line.answer(await line.share("4", slack.file("d.html", page, "text/html")))
        await line.answer(await line.share("5", slack.file("e.html", page, "text/html")))
        # A channel shared with another workspace: the event doesn't say where the file is.
        await line.answer(await line.share("6", _bare(slack.file("f.png", PIXEL))))
        asked = [last_text(request) for request in claude.chats]
        assert other.fetched == []
        assert '"a.png" is not shown to you: it isn\'t kept by Slack' in asked[0]
        for number, name in ((1, "b.png"), (2, "c.png"), (3, "d.html")):
            assert f'"{name}" is not shown to you: it couldn\'t be downloaded' in asked[number]
        assert "a page of ours" in asked[4]
        assert shown(claude.chats[5], "image") == [PIXEL]
        await bot.said("files:read")


def _bare(file: dict[str, Any]) -> dict[str, Any]:
    return {"id": file["id"], "name": file["name"], "mode": "hosted", "file_access": "check_file_info"}


async def test_files_of_the_message_replied_to(tmp_path: Path, claude: FakeClaude) -> None:
    """On Discord, a reply to one's own message brings its files along; and so does a message that is forwarded."""
    async with open_line("discord") as line, running(tmp_path, claude, line):
        discord = line.fake
        first = await discord.dm("ann", "my bike", files={"bike.png": PIXEL})
        await discord.answer_to(first, within=40)
        second = await discord.dm("ann", "what colour is it?", reply_to=first)
        await discord.answer_to(second, within=40)
        assert shown(claude.chats[1], "image") == [PIXEL]
        assert '(With the message replied to: "bike.png")' in last_text(claude.chats[1])
        file = discord.file("cat.png", PIXEL, "image/png")
        await discord.answer_to(await discord.forward("ann", "", attachments=[file]), within=40)
        assert shown(claude.chats[2], "image") == [PIXEL]
        assert '(Forwarded: "cat.png")' in last_text(claude.chats[2])


async def test_somebody_elses_picture(tmp_path: Path, claude: FakeClaude) -> None:
    """A question in a thread is about the message that it is of, picture and all; the answer is kept nowhere."""
    word = new_word()
    claude.script.append(Reply(f"A {word}."))
    async with open_line("slack") as line, running(tmp_path, claude, line) as bot:
        slack = line.fake
        post = slack.unheard("C0GENERAL", "UBEN", "Look!", files=[slack.file("bird.png", PIXEL)], subtype="file_share")
        slack.file_faults += [503, 200]  # it takes a moment
        await slack.mention("C0GENERAL", "UANN", "which bird is that?", post)
        assert await slack.answer("C0GENERAL", post, until=lambda text: text.endswith(".")) == f"A {word}."
        await until(lambda: answered(bot) == 1, 40)
        assert shown(claude.chats[0], "image") == [PIXEL]
        assert "(A file: bird.png)" in last_text(claude.chats[0])
        statuses = [args["status"] for method, args in slack.calls if method == "assistant.threads.setStatus"]
        assert "is reading bird.png…" in statuses
        await until(lambda: bool(claude.extractions), 40)
        assert traces.in_files(tmp_path / "data", [word]) == []


async def test_a_picture_that_is_replied_to_on_discord(tmp_path: Path, claude: FakeClaude) -> None:
    """With the message-content intent, a bare mention in reply to somebody's picture asks about it."""
    async with open_line("discord") as line:
        discord = line.fake
        discord.gateway.content = True
        general = discord.add_channel(discord.add_guild("home"), "general")
        async with running(tmp_path, claude, line, DISCORD_MESSAGE_CONTENT="true"):
            post = await discord.say(general, "ben", "", mention=False, files={"bird.png": PIXEL})
            await discord.answer_to(await discord.say(general, "ann", "", reply_to=post), within=40)
            assert shown(claude.chats[0], "image") == [PIXEL]
            assert "(A file: bird.png)" in last_text(claude.chats[0])


async def test_asked_about_on_discord(tmp_path: Path, claude: FakeClaude) -> None:
    """*Ask about this* on somebody's picture: Discord delivers it with the command, whatever the bot may read."""
    async with open_line("discord") as line:
        discord = line.fake
        general = discord.add_channel(discord.add_guild("home"), "general")
        async with running(tmp_path, claude, line):
            post = discord.message(general, discord.user("ben"), "")
            post["attachments"].append(discord.file("bird.png", PIXEL, "image/png"))
            form = await discord.choose_message("ann", post, general, "Ask about this")
            asked = await discord.fill_in("ann", "which bird?", form)
            assert "Understood." in await asked.answer(40)
            assert shown(claude.chats[0], "image") == [PIXEL]


async def test_an_address_that_has_expired_is_asked_for_anew(tmp_path: Path, claude: FakeClaude) -> None:
    """Discord signs its addresses for a day: what is refused there is asked for by its message."""
    async with open_line("discord") as line, running(tmp_path, claude, line) as bot:
        line.faults(404)
        await ask(bot, line, "look", {"a.png": PIXEL})
        assert shown(claude.chats[0], "image") == [PIXEL]


def test_base64_is_what_the_service_takes() -> None:
    """The samples are as Claude would have them."""
    block = {"source": {"data": base64.b64encode(PIXEL).decode()}}
    assert claude_files.content_of(block) == PIXEL
