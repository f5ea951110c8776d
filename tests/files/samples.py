"""Files for tests, made on the spot: pictures, PDFs, and what only looks like them."""

from io import BytesIO
from typing import Any

from PIL import Image
from pypdf import PdfWriter


def picture(
    width: int = 60, height: int = 40, kind: str = "PNG", *, mode: str = "RGB", noise: bool = False, **how: Any
) -> bytes:
    """A picture; with `noise` it hardly compresses."""
    image = Image.effect_noise((width, height), 90).convert(mode) if noise else Image.new(mode, (width, height), 1)
    buffer = BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def pdf(pages: int = 1, *, password: str = "") -> bytes:
    """A PDF of blank pages."""
    writer = PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(200, 200)
    if password:
        writer.encrypt(password, algorithm="RC4-128")  # the others need a library of their own
    buffer = BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


#: Some hundred kilobytes that unpack to 900 million pixels.
def bomb() -> bytes:
    """A PNG that unpacks to far more than anybody has memory for: 100 kB, 900 million pixels of one bit."""
    return picture(30_000, 30_000, mode="1")
