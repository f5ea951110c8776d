"""`/link` and `/unlink`: one set of memories for a person's accounts, joined by a code that only they can see."""

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bot.actions import Decide, Page
from bot.core.identity import Identities
from bot.events import CommandEvent, PressEvent
from bot.model import Person
from bot.ports import Accounts, Codes, Intents, Platform, TooManyCodes
from bot.privacy.eraser import Eraser
from bot.text.clean import one_line
from bot.views import Button, Item, View

#: Without letters and digits that are easily confused.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 8
#: The intent's action of a button that joins accounts.
LINK = "link"
#: Characters of a person's name that are kept with a code and shown.
NAME = 80
#: Digests are slow on purpose and hold the GIL: one thread, started when first needed.
_DIGESTS = ThreadPoolExecutor(1, thread_name_prefix="codes")

WRONG = View(
    "That code doesn't work: it is wrong, used, older than ten minutes, or from an account that has the same memories "
    "already. Run /link on your other account for a new one, and enter it here."
)
ENOUGH = View("You have entered too many codes that didn't work. Please try again in ten minutes.")
APART = View("Nothing was joined.")
ALONE = View("This account isn't linked with another.")


class Linking:
    """Issues and redeems codes, and unlinks accounts. Raises what the journal raises."""

    def __init__(
        self,
        codes: Codes,
        intents: Intents,
        accounts: Accounts,
        identities: Identities,
        eraser: Eraser,
        platforms: Sequence[Platform] = (),
    ) -> None:
        """`eraser` moves the memories of accounts that are linked or unlinked."""
        self._codes = codes
        self._intents = intents
        self._accounts = accounts
        self._identities = identities
        self._eraser = eraser
        self._platforms = {platform.name: platform for platform in platforms}

    async def link(self, event: CommandEvent, code: str) -> View:
        """Issue a code, or ask whether to join this account with the one that the code was issued to."""
        account = await self._identities.account(event.person)
        return await (self._propose(event, code) if code else self._offer(event, account.user_id))

    async def _offer(self, event: CommandEvent, user_id: str) -> View:
        person, code = event.person, new_code()
        await self._codes.offer(person.key, await digest(code), one_line(event.caller)[:NAME])
        items = await self._others(person, user_id)
        footer = (
            f"Within ten minutes, type /link {code} on your other account. It works once. Show it to nobody: whoever "
            "enters it shares one set of memories with you."
        )
        footer += " /unlink parts this account again." if items else ""
        return View(f"Your code is {code}", items, footer, code=code)

    async def _propose(self, event: CommandEvent, code: str) -> View:
        """Say whose account it is: the person may have been talked into entering somebody else's code."""
        person, key = event.person, await digest(code)
        try:
            found = await self._codes.look_up(person.key, key)
        except TooManyCodes:
            return ENOUGH
        if found is None:
            return WRONG
        token = await self._intents.keep(person.key, LINK, [key], event.at)
        return View(
            f"Join this account with {self._account(*found)}?",
            footer="Whoever controls that account then sees everything that I remember about you, and can change and "
            "forget it. Join nobody's account but your own.",
            buttons=(
                Button("Join", str(Decide("join", token)), danger=True),
                Button("Cancel", str(Decide("part", token))),
            ),
        )

    async def act(self, event: PressEvent, token: str, *, cancel: bool) -> View | None:
        """Join the accounts, once, for the person who was asked; None if the button was used before, or is too old."""
        intent = await self._intents.take(token, event.person.key, event.at)
        if intent is None or intent[0] != LINK:
            return None
        return APART if cancel else await self._join(event.person, intent[1][0])

    async def _join(self, person: Person, key: str) -> View:
        try:
            joined = await self._codes.redeem(person.key, key)
        except TooManyCodes:
            return ENOUGH
        if joined is None:
            return WRONG
        count = await self._eraser.joined(joined)
        later = " What this account had taught me follows in a little while." if count is None else ""
        # If memory was paused for one of them, it now is for all.
        paused = (await self._identities.account(person)).paused
        also = " Memory is paused on all of them, as it was on one: /memories resumes it." if paused else ""
        return View(
            f"Linked: I remember you as one person on these accounts from now on.{later}{also}",
            await self._others(person, joined.user_id),
            "/unlink parts them again; each then keeps what was learned there.",
            (Button("Show memories", str(Page())),),
            changed=True,
        )

    async def _others(self, person: Person, user_id: str) -> tuple[Item, ...]:
        keys = await self._identities.others(person, user_id)
        return tuple(Item(number, f"Linked with {self._named(key)}") for number, key in enumerate(keys, 1))

    def _account(self, key: str, name: str) -> str:
        """An account as its owner knows it: by its name, which isn't unique, and by its id, which is."""
        platform, _, rest = key.partition(":")
        if not self._has_accounts(platform):
            return f"{name or rest} in {self._label(platform)}"
        where, user = f"the {self._label(platform)} account", rest.rpartition(":")[2]
        return f"{where} of {name} (id {user})" if name not in ("", user) else f"{where} with the id {user}"

    def _named(self, key: str) -> str:
        platform, _, rest = key.partition(":")
        label = self._label(platform)
        return f"your {label} account" if self._has_accounts(platform) else f"{rest or platform} in {label}"

    def _label(self, platform: str) -> str:
        known = self._platforms.get(platform)
        return known.label if known else platform.capitalize()

    def _has_accounts(self, platform: str) -> bool:
        known = self._platforms.get(platform)
        return known is None or bool(known.tokens)

    async def unlink(self, person: Person) -> View:
        """Unlink this account from the others."""
        await self._identities.account(person)
        unlinked = await self._accounts.unlink(person.key)
        if unlinked is None:
            return ALONE
        count = await self._eraser.joined(unlinked)
        later = " Moving the memories takes a little while." if count is None else ""
        return View(f"Unlinked: each account keeps what was learned there.{later}", changed=True)


def new_code() -> str:
    """A code such as `K7QF-2M9X`: one of 656,100,000,000."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return f"{letters[: LENGTH // 2]}-{letters[LENGTH // 2 :]}"


async def digest(code: str) -> str:
    """What is kept of a code, whatever its case and hyphens: slow to compute, against brute force.

    One at a time, so that many of them leave the processors to answers.
    """
    plain = "".join(letter for letter in code.upper()[:64] if letter.isalnum())
    return await asyncio.get_running_loop().run_in_executor(_DIGESTS, _digest, plain)


def _digest(plain: str) -> str:
    return hashlib.scrypt(plain.encode(), salt=b"link code", n=1 << 10, r=8, p=1).hex()
