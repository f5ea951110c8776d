"""Claude for the load benchmark: the loopback Messages API in a process of its own, asked for its counts by a line.

`python -m tests.benchmarks.load_claude --delay 1` prints its address; every line of its standard input is answered by a
line of JSON (`chats`, `around`, `extractions`, `open`), and the end of its input ends it.
"""

import argparse
import asyncio
import json
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

import uvloop

from tests.fakes.claude import FakeClaude, Reply, Request, facts, is_extraction, last_text, new_messages

ROOT = Path(__file__).resolve().parents[2]

#: What people's messages end with, and so do the answers to them: `(17.3)`, the person's number and the message's.
MARK = re.compile(r"\(\d+\.\d+\)")

#: What others say around the questions ends with this.
AROUND = "nobody minded"

ANSWER = (
    "Good to know, thank you for telling me. I'll keep that in mind for the next time, and if anything about it "
    "changes, just say so here. Is there something else that you would like me to look at today? I have time. "
)
#: How many pieces the answers are streamed in.
PIECES = -(-len(ANSWER + "(17.3)") // Reply.piece)

_MEM0 = re.compile(r"\n\n## New Messages\n(.*?)\n\n## ", re.DOTALL)


class Model:
    """What Claude answers: a chat of some 200 characters, and each user's text of an extraction as one fact."""

    def __init__(self, delay: float, extraction_delay: float) -> None:
        self.chats = 0
        self.around = 0
        self.extractions = 0
        self._delay = delay
        self._extraction_delay = extraction_delay

    def __call__(self, request: Request) -> Reply:
        prompt = last_text(request)
        if is_extraction(request):
            said = [{"text": user, "source": number} for number, user, _ in new_messages(prompt) if user.strip()]
        elif section := _MEM0.search(prompt):  # mem0's own prompt, sent by mem0 itself
            lines = section.group(1).splitlines()
            said = [{"text": line.removeprefix("user: ")} for line in lines if line.startswith("user: ")]
        else:
            self.chats += 1
            self.around += AROUND in prompt
            mark = MARK.findall(prompt)[-1:] or ["(?)"]
            return Reply(ANSWER + mark[0], delay=self._delay)
        self.extractions += 1
        return Reply(facts(*said), delay=self._extraction_delay)


class ClaudeProcess:
    """The process. `async with ClaudeProcess(1.0, 1.0) as claude: … claude.url`."""

    def __init__(self, delay: float, extraction_delay: float, gap: float = 0.0) -> None:
        self._arguments = ("--delay", str(delay), "--extraction-delay", str(extraction_delay), "--gap", str(gap))
        self._process: asyncio.subprocess.Process | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        command = (sys.executable, "-m", "tests.benchmarks.load_claude", *self._arguments)
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)
        self.url = await self._line()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def counts(self) -> dict[str, int]:
        """Calls so far (`chats`, of which `around` with others' words, and `extractions`), and those `open`."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        found: dict[str, int] = json.loads(await self._line())
        return found

    async def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()


async def _serve(delay: float, extraction_delay: float, gap: float) -> None:
    model = Model(delay, extraction_delay)
    claude = FakeClaude(model, gap=gap, record=False)
    print(await claude.start(), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        counts = {"chats": model.chats, "around": model.around, "extractions": model.extractions, "open": claude.open}
        print(json.dumps(counts), flush=True)
    await claude.stop()


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--extraction-delay", type=float, default=0.0)
    parser.add_argument("--gap", type=float, default=0.0)
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options.delay, options.extraction_delay, options.gap))


if __name__ == "__main__":
    main()
