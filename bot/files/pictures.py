"""Pictures: recognised, checked and, if they exceed the model's limits, scaled down.

https://platform.claude.com/docs/en/build-with-claude/vision (November 2026): PNG, JPEG, GIF (its first frame) and WebP,
up to 8,000 pixels a side and 5 MB in base64. A longer side than 2,576 pixels is scaled down by the service itself.
"""

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

_KINDS = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF87a": "GIF", b"GIF89a": "GIF"}
#: Pixels a side, and bytes, that the model takes: 5 MB of base64 are three quarters of that.
SIDE = 8_000
BYTES = 5 * 2**20 * 3 // 4
#: Pixels a side to which a picture is scaled down: the most that the model sees.
SCALED = 2_576
#: Bytes that decoding may take: some 50 million pixels. A few hundred bytes can unpack to any number.
MEMORY = 200 * 2**20
_QUALITIES = (90, 75, 50)

DAMAGED = "is damaged or cut short"
TOO_MANY = "has more pixels than can be opened"


class Unusable(Exception):
    """The model can't be given this picture; the message says why (`bot.files.values.Unopened`)."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A picture within the limits."""

    media_type: str
    content: bytes
    width: int
    height: int


def kind_of(content: bytes) -> str | None:
    """The format of a picture that can be opened, by its content: `PNG`, `JPEG`, `GIF`, `WEBP`; None if it is none."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    return next((kind for beginning, kind in _KINDS.items() if content.startswith(beginning)), None)


def fitted(kind: str, content: bytes) -> Fitted:
    """The picture, its bytes unaltered if it is within the limits. Raises Unusable."""
    from PIL import Image  # few processes need it

    Image.MAX_IMAGE_PIXELS = None  # it would warn; the limit here is on what decoding takes
    try:
        with Image.open(BytesIO(content), formats=[kind]) as image:
            width, height = image.size
            if max(width, height) <= SIDE and len(content) <= BYTES:
                _check(image, kind)
                return Fitted(f"image/{kind.lower()}", content, width, height)
            return _scaled(image, kind)
    except Unusable:
        raise
    except Exception as exc:
        raise Unusable(DAMAGED) from exc  # decoders raise anything


def _check(image: "Image", kind: str) -> None:
    """Raise if the picture is damaged: the model's service would refuse the whole request."""
    if kind == "PNG":
        image.verify()  # checksums, without unpacking
        return
    if kind == "JPEG":
        image.draft("RGB", (64, 64))  # all of it is read, an eighth of it unpacked
    if _takes(image) > MEMORY:
        raise Unusable(TOO_MANY)
    image.load()


def _takes(image: "Image") -> int:
    """The most bytes that decoding takes."""
    width, height = image.size
    if image.format == "JPEG" and "progressive" in image.info:
        # All of its coefficients are held, whatever the scale: two bytes for each of three colours.
        scale = getattr(image, "decoderconfig", None) or (1,)
        return width * height * (4 + 6 * scale[0] ** 2)
    return width * height * 4


def _scaled(image: "Image", kind: str) -> Fitted:
    from PIL import Image, ImageOps

    if kind == "JPEG":
        image.draft("RGB", (SCALED, SCALED))  # unpacked at a fraction of its size, at least that
    if _takes(image) > MEMORY:
        raise Unusable(TOO_MANY)
    smooth: Image.Image = image.convert("RGBA") if image.mode in ("P", "1") else image  # others can be averaged
    smooth.thumbnail((SCALED, SCALED), Image.Resampling.LANCZOS)
    upright = ImageOps.exif_transpose(smooth).convert("RGBA")
    flat = Image.new("RGB", upright.size, "white")
    flat.paste(upright, mask=upright.getchannel("A"))
    for quality in _QUALITIES:
        buffer = BytesIO()
        flat.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= BYTES:
            break
    return Fitted("image/jpeg", buffer.getvalue(), *flat.size)
