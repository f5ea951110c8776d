"""Files as the chat model gets them. None shows its content in a log or a traceback."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture within the model's limits. `data` is its bytes in base64, as a request carries them."""

    name: str
    media_type: str
    data: str = field(repr=False)
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Document:
    """A PDF. `data` is its bytes in base64; `pages` is None if they can't be counted."""

    name: str
    data: str = field(repr=False)
    pages: int | None


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file whose content is text, of whatever kind."""

    name: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unopened:
    """A file that the model isn't shown. `reason` completes a sentence that begins with its name: "is a video"."""

    name: str
    reason: str


#: Files that a request carries as blocks.
Block = Picture | Document | TextFile
File = Block | Unopened
