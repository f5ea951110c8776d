"""All tools, in the order in which they are offered."""

from bot.core.tools.search import SEARCH
from bot.core.tools.toolbox import Kit

_ALL: tuple[Kit, ...] = (SEARCH,)

KITS = {kit.tool.name: kit for kit in _ALL}
TOOLS = tuple(kit.tool for kit in _ALL)
