"""A memory store's metadata: its revision, its embedder, and the key of its hashes.

A store holds people, scopes, events and keywords only as keyed hashes.
"""

import hashlib
from dataclasses import dataclass

#: The newest revision under `migrations/versions`. Alembic is imported only if the tables have another one.
HEAD = "0003"
#: The table that holds it; the journal has its own.
VERSION_TABLE = "memory_version"
#: The store's format number from before it had revisions, which versions of that time check.
FORMAT = 1


class EmbedderChanged(Exception):
    """The stored vectors are another embedder's. Embed again (`reembed`), or set the former embedder."""

    def __init__(self, stored: str, wanted: str) -> None:
        super().__init__(f"the memories were embedded by {stored}, not by {wanted}")
        self.stored = stored
        self.wanted = wanted


@dataclass(frozen=True, slots=True)
class Meta:
    """The contents of `memory_meta`: the key of the store's hashes, and the embedder whose vectors are in use."""

    secret: bytes
    model: str
    dims: int
    number: int

    def digest(self, kind: str, value: str) -> int:
        """A 63-bit keyed hash for an equality column; 0 is reserved for "none"."""
        raw = hashlib.blake2b(_bytes(value), key=self.secret, person=kind.encode(), digest_size=8).digest()
        return int.from_bytes(raw, "big") >> 1 or 1

    def person_key(self, user_id: str) -> bytes:
        """A person's key: 128 bits, so that no two people share one."""
        return hashlib.blake2b(_bytes(user_id), key=self.secret, person=b"person", digest_size=16).digest()


def term_key(salt: bytes, term: str) -> int:
    """One person's keyword as 32 bits; erasing the person erases the salt, and so the keyword."""
    return int.from_bytes(hashlib.blake2b(_bytes(term), key=salt, digest_size=4).digest(), "big")


def signature_key(salt: bytes, signature: str) -> int:
    """A text's signature (`keywords.signature`) as 63 bits, comparable among one person's."""
    return int.from_bytes(hashlib.blake2b(_bytes(signature), key=salt, digest_size=8).digest(), "big") >> 1


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
