"""Private answers to commands, the same on every platform, with their buttons, menus and forms."""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Button:
    """A button of a view. `action` (at most 90 characters) comes back in a `PressEvent`.

    With `opens_form`, pressing it opens a form: the platform gets that from `Interactions.open_form` and returns a
    `SubmitEvent`.
    """

    label: str
    action: str
    danger: bool = False
    opens_form: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """One choice in a view's menu; choosing it presses `action` (at most 90 characters)."""

    label: str
    action: str


@dataclass(frozen=True, slots=True)
class Form:
    """A form with one text field: its title, and the field's label, initial value and maximum length.

    `send` is the submit button's label, on platforms that allow one.
    """

    title: str
    label: str
    value: str
    action: str
    limit: int = 2000
    send: str = "Save"


@dataclass(frozen=True, slots=True)
class Foot:
    """What stands below an answer: a quiet line, and buttons that open a view for whoever asked alone.

    Others see it too, so neither it nor its actions (at most 70 characters here) hold anything private. The line is
    plain text, never markup. No button of it opens a form.
    """

    line: str = ""
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A file, sent to the caller alone."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a view: the number people can refer to it by (0: none), its text, and a note (date, place)."""

    number: int
    text: str
    note: str = ""
    link: str = ""

    @property
    def mark(self) -> str:
        """What precedes the text: the number, or a bullet."""
        return f"{self.number}." if self.number else "•"


@dataclass(frozen=True, slots=True)
class View:
    """A private answer to a command, the same on every platform: a title, numbered items, a footer, buttons.

    `menu` is a drop-down of at most 25 choices under the items, with `menu_label` as its placeholder; `file` is
    attached; `changed` says that earlier views are out of date. All strings are plain text, never markup: the
    platform's adapter escapes them. `code` is a part of the title or footer that people will copy: shown as code where
    possible, since escaped text would be copied with its escapes.
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
        """The view as plain lines, for platforms and readers that show nothing else; with `links`, written out."""
        yield self.title
        for item in self.items:
            yield f"{item.mark} {item.text}" + (f"  ({item.note})" if item.note else "")
            if links and item.link:
                yield f"   {item.link}"
        if self.footer:
            yield self.footer
