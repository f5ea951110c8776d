"""All tools, in the order in which they are offered."""

from bot.core.tools.context import READ
from bot.core.tools.forget import FORGET
from bot.core.tools.listing import LIST
from bot.core.tools.off_record import OFF_RECORD
from bot.core.tools.remember import REMEMBER
from bot.core.tools.search import SEARCH
from bot.core.tools.toolbox import Kit

_ALL: tuple[Kit, ...] = (SEARCH, REMEMBER, LIST, READ, FORGET, OFF_RECORD)

KITS = {kit.tool.name: kit for kit in _ALL}
TOOLS = tuple(kit.tool for kit in _ALL)
