"""Turns a file's bytes into what the chat model can be shown. Its content decides, not its name or declared type."""

import base64
import logging

from bot.files import pdf, pictures, text
from bot.files.values import Document, File, Picture, TextFile, Unopened

# At DEBUG, and pypdf in its warnings too, they quote what they read.
logging.getLogger("PIL").setLevel(logging.INFO)
logging.getLogger("pypdf").setLevel(logging.CRITICAL)

_ONLY = "only PNG, JPEG, GIF and WebP pictures can be opened"
_OFFICE = "is a ZIP archive, or a document of Word, Excel or PowerPoint"
_BEGINNINGS = (
    (b"PK\x03\x04", _OFFICE),
    (b"PK\x05\x06", _OFFICE),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is a document of an old version of Word, Excel or PowerPoint"),
    (b"\x1f\x8b", "is an archive"),
    (b"BZh", "is an archive"),
    (b"\xfd7zXZ\0", "is an archive"),
    (b"7z\xbc\xaf\x27\x1c", "is an archive"),
    (b"Rar!\x1a\x07", "is an archive"),
    (b"\x1aE\xdf\xa3", "is a video"),
    (b"OggS", "is a sound recording"),
    (b"ID3", "is a sound recording"),
    (b"fLaC", "is a sound recording"),
    (b"\xff\xfb", "is a sound recording"),
    (b"II*\0", f"is a TIFF picture: {_ONLY}"),
    (b"MM\0*", f"is a TIFF picture: {_ONLY}"),
    (b"\x7fELF", "is a program"),
    (b"MZ", "is a program"),
)
#: The brands of ISO media files (after `ftyp`) that aren't videos.
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heif", b"mif1", b"msf1"), f"is a HEIC picture: {_ONLY}"),
    **dict.fromkeys((b"avif", b"avis"), f"is an AVIF picture: {_ONLY}"),
    **dict.fromkeys((b"M4A ", b"M4B ", b"M4P "), "is a sound recording"),
}
_RIFF = {b"WAVE": "is a sound recording", b"AVI ": "is a video"}
UNKNOWN = "is neither a picture, nor a PDF, nor text"


def read(name: str, content: bytes) -> File:
    """What the model is shown of a file. May take seconds of CPU time for a large picture: call it in a thread."""
    if not content:
        return Unopened(name, "is empty")
    if (kind := pictures.kind_of(content)) is not None:
        return _picture(name, kind, content)
    if pdf.is_pdf(content):
        return _document(name, content)
    if (reason := _recognised(content)) is not None:
        return Unopened(name, reason)
    if (found := text.decoded(content)) is not None:
        return TextFile(name, found) if found.strip() else Unopened(name, "is empty")
    return Unopened(name, UNKNOWN)


def _picture(name: str, kind: str, content: bytes) -> File:
    try:
        fitted = pictures.fitted(kind, content)
    except pictures.Unusable as exc:
        return Unopened(name, str(exc))
    return Picture(name, fitted.media_type, _base64(fitted.content), fitted.width, fitted.height)


def _document(name: str, content: bytes) -> File:
    try:
        pages = pdf.pages(content)
    except pdf.Unusable as exc:
        return Unopened(name, str(exc))
    return Document(name, _base64(content), pages)


def _recognised(content: bytes) -> str | None:
    """The kind of a file that can't be opened; None if it isn't a known one."""
    if content[4:8] == b"ftyp":
        return _BRANDS.get(content[8:12], "is a video")
    if content[:4] == b"RIFF":
        return _RIFF.get(content[8:12], UNKNOWN)
    if content[:2] == b"BM" and content[6:10] == b"\0\0\0\0":
        return f"is a BMP picture: {_ONLY}"
    return next((reason for beginning, reason in _BEGINNINGS if content.startswith(beginning)), None)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
