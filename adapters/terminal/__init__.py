"""The terminal: `python -m bot chat`."""

import re

from bot.ports import Platform

TERMINAL = Platform(
    name="terminal",
    label="the terminal",
    account="terminal:<name>",
    account_form=re.compile(r"terminal:(\S{1,200})"),
)
