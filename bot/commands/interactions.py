"""Rate-limits the commands, presses and forms that adapters hand over."""

from bot.aio.rate_limit import Allowance
from bot.commands.handler import Commands
from bot.events import CommandEvent, PressEvent, SubmitEvent
from bot.views import Form, View

#: Commands, clicks and forms allowed per message of a person's allowance: paging is quick.
PER_MESSAGE = 3
TOO_MUCH = "That's a lot at once: please give me a minute, then try again."


class LimitedCommands:
    """Commands within each person's allowance (`bot.ports.Interactions`)."""

    def __init__(self, commands: Commands, allowance: int = 0) -> None:
        """`allowance` is how many messages a person may send per minute (0: no limit)."""
        self._commands = commands
        self._allowance = Allowance(PER_MESSAGE * allowance)

    async def on_command(self, event: CommandEvent) -> View:
        """Run a command for the caller alone."""
        return await self._commands.run(event) if self._allowed(event) else View(TOO_MUCH)

    async def on_press(self, event: PressEvent) -> View:
        """Act on a button for the person who pressed it."""
        return await self._commands.press(event) if self._allowed(event) else View(TOO_MUCH)

    async def open_form(self, event: PressEvent) -> Form | View:
        """The form that a button opens, for the person who pressed it."""
        return await self._commands.open_form(event) if self._allowed(event) else View(TOO_MUCH)

    async def on_submit(self, event: SubmitEvent) -> View:
        """Act on a form for the person who filled it in."""
        return await self._commands.submit(event) if self._allowed(event) else View(TOO_MUCH)

    async def suggest(self, event: CommandEvent) -> list[str]:
        """The caller's memories that match what is typed so far. Asked on every keystroke, so not rate-limited."""
        return await self._commands.suggest(event)

    def _allowed(self, event: CommandEvent | PressEvent | SubmitEvent) -> bool:
        return self._allowance.spend(event.person.key, event.at)
