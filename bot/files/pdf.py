"""PDFs: recognised, and their pages counted. The model reads the content itself."""

from io import BytesIO

#: Most pages of all PDFs in one request.
PAGES = 100
#: Bytes at a file's start that hold its signature.
_HEAD = 1024


class Unusable(Exception):
    """The model can't be given this PDF; the message says why (`bot.files.values.Unopened`)."""


def is_pdf(content: bytes) -> bool:
    """Whether a file's content is a PDF's."""
    return b"%PDF-" in content[:_HEAD]


def pages(content: bytes) -> int | None:
    """How many pages a PDF says it has; None if that can't be read. Raises Unusable."""
    from pypdf import PdfReader  # takes a tenth of a second, which few processes need

    encrypted, count = False, None
    try:
        reader = PdfReader(BytesIO(content), strict=False)
        if not (encrypted := reader.is_encrypted):
            # Not `len(reader.pages)`, which walks the whole tree: the model's service does its own count.
            count = int(reader.root_object["/Pages"]["/Count"])  # type: ignore[index]
    except Exception:  # noqa: BLE001 - a malformed PDF raises anything; the model may still read it
        # Without an AES library, PdfReader fails on an encrypted PDF.
        encrypted = encrypted or b"/Encrypt" in content
    if encrypted:
        raise Unusable("is encrypted: it has a password, or restrictions on its use")
    if count is None or count < 1:
        return None
    if count > PAGES:
        raise Unusable(f"has {count:,} pages, more than the {PAGES} that can be opened at once")
    return count
