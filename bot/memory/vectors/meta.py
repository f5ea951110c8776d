"""What every store of memories says of itself: its revision, its embedder, and the keys of its hashes.

People, scopes, events and keywords stand in a store as keyed hashes alone.
"""

import hashlib
from dataclasses import dataclass

#: The newest revision under `migrations/versions`: alembic is imported only where the tables have another.
HEAD = "0003"
#: Where the database keeps it; the journal has its own elsewhere.
VERSION_TABLE = "memory_version"
#: What the store called its format before it had revisions. Versions of that time look for it.
FORMAT = 1


class EmbedderChanged(Exception):
    """The stored vectors are another embedder's. Embed them again (`reembed`), or set the former one."""

    def __init__(self, stored: str, wanted: str) -> None:
        super().__init__(f"the memories were embedded by {stored}, not by {wanted}")
        self.stored = stored
        self.wanted = wanted


@dataclass(frozen=True, slots=True)
class Meta:
    """What `memory_meta` says: the key of this store's hashes, and the embedder whose vectors are served."""

    secret: bytes
    model: str
    dims: int
    number: int

    def digest(self, kind: str, value: str) -> int:
        """A keyed hash of 63 bits for an equality column; 0 is left for "none"."""
        raw = hashlib.blake2b(_bytes(value), key=self.secret, person=kind.encode(), digest_size=8).digest()
        return int.from_bytes(raw, "big") >> 1 or 1

    def person_key(self, user_id: str) -> bytes:
        """A person's key: 128 bits, so that no two people ever share one."""
        return hashlib.blake2b(_bytes(user_id), key=self.secret, person=b"person", digest_size=16).digest()


def term_key(salt: bytes, term: str) -> int:
    """A keyword of one person as 32 bits; the salt goes with the person, and the keyword with it."""
    return int.from_bytes(hashlib.blake2b(_bytes(term), key=salt, digest_size=4).digest(), "big")


def signature_key(salt: bytes, signature: str) -> int:
    """A text's signature (`keywords.signature`) as 63 bits, comparable within one person."""
    return int.from_bytes(hashlib.blake2b(_bytes(signature), key=salt, digest_size=8).digest(), "big") >> 1


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
