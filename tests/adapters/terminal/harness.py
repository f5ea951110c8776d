"""The terminal, as Ann uses it: the adapter contract's verbs over a pipe and what is printed."""

import asyncio
import io
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import BinaryIO

from adapters.terminal.adapter import TerminalAdapter
from tests.adapters.core import StubCore
from tests.adapters.harness import Below, Opened, Shown, contract_core
from tests.fakes.discord import until


class TerminalHarness:
    """Ann types, one line after the other; nobody else looks on."""

    def __init__(self) -> None:
        self.core = contract_core()
        self.name = "terminal"
        self.limit = 100_000
        self.loud = "\x07\x1b[2J\x1b]0;loud\x07"
        self._out = io.StringIO()
        self._typed: BinaryIO | None = None
        self._before = 0

    @asynccontextmanager
    async def running(self, core: StubCore | None = None) -> AsyncIterator[TerminalAdapter]:
        """An adapter that reads what Ann types."""
        reading, writing = os.pipe()
        with os.fdopen(reading, "r") as stdin, os.fdopen(writing, "wb", buffering=0) as self._typed:
            adapter = TerminalAdapter(core or self.core, name="Ann", stdin=stdin, stdout=self._out)
            run = asyncio.create_task(adapter.run())
            try:
                yield adapter
            finally:
                await adapter.stop()
                await run

    async def direct(self, text: str) -> str:
        events = self.core.events
        count = len(events)
        self._type(text)
        await until(lambda: len(events) > count, "the message")
        return events[-1].id

    def answers(self, message: str) -> dict[str, str]:
        assert message == self.core.events[-1].id
        return dict.fromkeys(self.core.sent[-1], self._printed.removesuffix("\n"))

    def below(self, message: str) -> Below:
        assert message == self.core.events[-1].id
        labels = re.findall(r"\[\d+\] (.*?)(?=  \[|$)", self._printed, re.MULTILINE)
        foot = self.core.foot
        return Below([foot.line] if foot and f"{foot.line}\n" in self._printed else [], labels, [message])

    async def press_below(self, message: str, label: str) -> Shown:
        return await self._shown(label)

    def pings(self) -> list[str]:
        assert self._printed
        return re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", self._printed)

    async def command(self, name: str, argument: str) -> Shown:
        return await self._shown(f"/{name} {argument}")

    async def press(self, shown: Shown, label: str) -> Shown:
        assert f"] {label}" in shown.text
        return await self._shown(label)

    async def open_form(self, shown: Shown, label: str) -> Opened:
        opened = await self.press(shown, label)
        found = re.search(r" now: (.*)$", opened.text, re.MULTILINE)
        return Opened(found[1] if found else "", opened)

    async def submit(self, opened: Opened, text: str) -> Shown:
        return await self._shown(text)

    @property
    def _printed(self) -> str:
        """What was printed since Ann last typed."""
        return self._out.getvalue()[self._before :]

    def _type(self, line: str) -> None:
        self._before = len(self._out.getvalue())
        assert self._typed is not None
        self._typed.write(f"{line}\n".encode())

    async def _shown(self, line: str) -> Shown:
        self._type(line)
        await until(lambda: self._printed, "something printed")
        return Shown(self._printed, private=True, handle=None)
