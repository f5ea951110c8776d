"""Person -> mem0 user id. Deterministic, so that memories outlive the loss of the journal; links are the exception."""

from bot.events import Person
from bot.ports import Journal


class Identities:
    """Maps an account to the mem0 user id that holds its memories."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def user_id(self, person: Person) -> str:
        """The account's own key, unless it is linked to another account's memories.

        Raises ValueError for an account without a user: such an id would name nobody, or everybody.
        """
        if not person.user.strip():
            raise ValueError("a person needs a user id")
        return await self._journal.user_id(person.key)
