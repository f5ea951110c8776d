"""Pictures and documents in requests to the Messages API on loopback: what the service refuses, and what it bills."""

import base64
import binascii
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from PIL import Image
from pypdf import PdfReader

#: The formats that are taken, by their media types.
FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WEBP"}
#: Limits: characters of base64 in a picture, pixels a side, pictures and pages in a request, bytes of a whole request.
BASE64 = 5 * 2**20
SIDE = 8_000
PICTURES = 100
PAGES = 100
REQUEST = 32 * 10**6
#: What a page is billed: its picture, and its text.
PAGE = 2_500

Json = dict[str, Any]


def blocks(request: Json, kind: str) -> list[Json]:
    """The blocks of that kind in all messages of a request."""
    contents = [message["content"] for message in request["messages"] if isinstance(message["content"], list)]
    return [block for content in contents for block in content if block["type"] == kind]


def content_of(block: Json) -> bytes:
    """The bytes of a block."""
    return base64.b64decode(block["source"]["data"], validate=True)


def problem(request: Json) -> str:
    """What a request's files are refused for; empty if they are taken."""
    if len(blocks(request, "image")) > PICTURES:
        return f"too many images: more than {PICTURES}"
    for block in [*blocks(request, "image"), *blocks(request, "document")]:
        if block["source"].get("type") != "base64":
            return "only base64 sources are expected here"
    found = next((told for block in blocks(request, "image") if (told := _picture(block))), "")
    return found or _documents(request)


def _picture(block: Json) -> str:
    source = block["source"]
    if source["media_type"] not in FORMATS:
        return f"image.source.base64.media_type: Input should be one of {', '.join(map(repr, FORMATS))}"
    if len(source["data"]) > BASE64:
        return "image.source.base64: image exceeds 5 MB maximum"
    try:
        with Image.open(BytesIO(content_of(block)), formats=[FORMATS[source["media_type"]]]) as image:
            if max(image.size) > SIDE:
                return f"image.source.base64.data: At least one of the image dimensions exceed max allowed size: {SIDE}"
            if image.width * image.height < 50_000_000:
                image.load()
    except binascii.Error:
        return "image.source.base64.data: invalid base64 data"
    except (OSError, SyntaxError, ValueError):
        return "Could not process image"
    return ""


def _documents(request: Json) -> str:
    pages = 0
    for block in blocks(request, "document"):
        if block["source"]["media_type"] != "application/pdf":
            return "document.source.base64.media_type: Input should be 'application/pdf'"
        try:
            reader = PdfReader(BytesIO(content_of(block)))
            if reader.is_encrypted:
                return "The PDF specified is password protected."
            pages += len(reader.pages)
        except Exception:  # noqa: BLE001 - as the service has it
            return "The PDF specified was not valid."
    return f"A maximum of {PAGES} PDF pages may be provided." if pages > PAGES else ""


def tokens(request: Json) -> int:
    """What a request's files are billed: a token for each patch of 28 pixels squared, or so much a page."""
    return sum(_tokens(request))


def _tokens(request: Json) -> Iterator[int]:
    for block in blocks(request, "image"):
        with Image.open(BytesIO(content_of(block))) as image:
            yield min(-(-image.width // 28) * -(-image.height // 28), 4_784)
    for block in blocks(request, "document"):
        yield PAGE * len(PdfReader(BytesIO(content_of(block))).pages)
