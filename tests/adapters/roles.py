"""A core whose roles are one object, so that a test looks in one place at what an adapter handed over."""

from typing import Self


class AllRoles:
    """Gives itself for each role of `bot.ports.Core`."""

    @property
    def messages(self) -> Self:
        return self

    @property
    def interactions(self) -> Self:
        return self

    @property
    def changes(self) -> Self:
        return self

    @property
    def history(self) -> Self:
        return self
