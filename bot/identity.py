"""Person -> mem0 user id. Deterministic, so that memories outlive the loss of the journal; links are the exception."""

from bot.events import Account, Person
from bot.ports import Accounts


class Identities:
    """Maps an account to the mem0 user id that holds its memories."""

    def __init__(self, journal: Accounts) -> None:
        self._journal = journal

    async def user_id(self, person: Person) -> str:
        """The account's own key, unless it is linked to another account's memories. Raises as `account`."""
        return await self._journal.user_id(_key(person))

    async def account(self, person: Person) -> Account:
        """The same, with whether memory is paused or being erased, in one read.

        Raises ValueError for an account without a user: such an id would name nobody, or everybody.
        """
        return await self._journal.account(_key(person))

    async def everybody(self, user_id: str) -> list[str]:
        """The keys of all accounts that share a mem0 user's memories, its own first."""
        return [user_id, *await self._journal.accounts(user_id)]


def _key(person: Person) -> str:
    if not person.user.strip():
        raise ValueError("a person needs a user id")
    return person.key
