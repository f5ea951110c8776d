"""A private answer to a command, the same on every platform, and what can be pressed or filled in there."""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Button:
    """A button of a view. `action` comes back in a `PressEvent`; at most 90 characters.

    With `opens_form` a press opens a form: the platform gets it from `Core.open_form` and sends back a `SubmitEvent`.
    """

    label: str
    action: str
    danger: bool = False
    opens_form: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a view's menu; choosing it is a press of `action` (at most 90 characters)."""

    label: str
    action: str


@dataclass(frozen=True, slots=True)
class Form:
    """A form with one text field: its title, the field's label, what stands in it, and how much it takes.

    `send` is the label of the button that sends it, where the platform lets us name that.
    """

    title: str
    label: str
    value: str
    action: str
    limit: int = 2000
    send: str = "Save"


@dataclass(frozen=True, slots=True)
class File:
    """A file handed to the caller alone."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a view: the number people can name it by (0: none), its text, and a line about it (date, place)."""

    number: int
    text: str
    note: str = ""
    link: str = ""

    @property
    def mark(self) -> str:
        """What stands before the text: the number, or a bullet."""
        return f"{self.number}." if self.number else "•"


@dataclass(frozen=True, slots=True)
class View:
    """A private answer to a command, the same on every platform: a title, numbered items, a footer, buttons.

    `menu` is a drop-down of choices under the items (`menu_label` stands in it until one is chosen), at most 25; `file`
    is sent along; `changed` says that what other views have shown is out of date. All strings are plain text, to be
    escaped by the platform's adapter; none is markup. `code` is what in the title and the footer is to be copied as it
    stands: shown as code where the platform can, for what escapes a text would be copied with its escapes.
    """

    title: str
    items: tuple[Item, ...] = ()
    footer: str = ""
    buttons: tuple[Button, ...] = field(default=())
    menu: tuple[Option, ...] = ()
    menu_label: str = ""
    file: File | None = None
    changed: bool = False
    code: str = ""

    def lines(self, *, links: bool = False) -> Iterator[str]:
        """The view as plain lines, for platforms and readers that show nothing else; `links` written out."""
        yield self.title
        for item in self.items:
            yield f"{item.mark} {item.text}" + (f"  ({item.note})" if item.note else "")
            if links and item.link:
                yield f"   {item.link}"
        if self.footer:
            yield self.footer
