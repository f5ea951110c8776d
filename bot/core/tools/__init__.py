"""What Claude can do while it answers: search memory, remember, look around. Whose memory is never a matter of words.

Every tool is a `Kit` in `registry.KITS`; a `Toolbox` is made for each answer, and knows whose it is and where from the
event alone. The tools that are offered are the same, byte for byte, to everybody and everywhere: they begin what the
prompt cache holds.
"""

from bot.core.tools.registry import KITS, TOOLS
from bot.core.tools.toolbox import Kit, Toolbox, Workshop

__all__ = ["KITS", "TOOLS", "Kit", "Toolbox", "Workshop"]
