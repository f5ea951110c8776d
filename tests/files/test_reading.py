"""What is made of a file's bytes: by their content, within the model's limits, and with a reason where nothing is."""

import base64
from io import BytesIO

import pytest
from PIL import Image

from bot.files import pdf, pictures
from bot.files.reading import read
from bot.files.text import cut
from bot.files.values import Document, Picture, TextFile, Unopened
from tests.files import samples


def opened(content: bytes) -> Picture:
    """A file that is shown as a picture."""
    found = read('"a"', content)
    assert isinstance(found, Picture), found
    return found


def refused(content: bytes) -> str:
    """Why a file isn't shown."""
    found = read('"a"', content)
    assert isinstance(found, Unopened), found
    return found.reason


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_picture_within_the_limits_is_unaltered(kind: str) -> None:
    """Its bytes go as they are, with the type that they have and their pixels counted."""
    content = samples.picture(60, 40, kind)
    found = opened(content)
    assert base64.b64decode(found.data) == content
    assert (found.media_type, found.width, found.height) == (f"image/{kind.lower()}", 60, 40)


@pytest.mark.parametrize(
    "content",
    [
        samples.picture(8_100, 90),
        samples.picture(90, 9_000, "JPEG"),
        samples.picture(8_100, 20, "GIF", mode="P"),
        samples.picture(8_100, 20, "WEBP", mode="RGBA"),
        samples.picture(8_100, 20, mode="LA"),
        samples.picture(1_500, 1_500, noise=True),
        samples.picture(8_100, 900, "JPEG", progressive=True),
    ],
    ids=["wide", "tall", "palette", "transparent", "grey", "many bytes", "progressive"],
)
def test_a_picture_over_the_limits_is_scaled_down(content: bytes) -> None:
    """Too many pixels a side, or too many bytes: what is sent is within both limits, and a picture."""
    found = opened(content)
    made = base64.b64decode(found.data)
    assert found.media_type == "image/jpeg"
    assert len(found.data) <= 5 * 2**20
    with Image.open(BytesIO(made)) as image:
        image.load()
        assert image.size == (found.width, found.height)
    assert max(image.size) <= pictures.SCALED


def test_a_turned_photograph_is_scaled_upright() -> None:
    """Where it is made anew, the camera's turn, which isn't carried over, is applied."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    found = opened(samples.picture(8_100, 4_050, "JPEG", exif=exif))
    assert found.height > found.width


def test_transparency_becomes_white() -> None:
    """What is transparent isn't made black, on which dark text couldn't be read."""
    made = opened(samples.picture(8_100, 20, "WEBP", mode="RGBA")).data
    with Image.open(BytesIO(base64.b64decode(made))) as image:
        assert image.convert("L").getpixel((5, 1)) > 250  # type: ignore[operator]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_picture_that_is_cut_is_told(kind: str) -> None:
    """A request with it would be refused as a whole."""
    content = samples.picture(300, 300, kind, noise=True)
    for end in (len(content) // 2, 20):
        assert refused(content[:end]) == pictures.DAMAGED


def test_a_bomb_is_never_unpacked() -> None:
    """Its pixels are counted first, whatever it would unpack to."""
    content = samples.bomb()
    assert len(content) < 200_000
    assert refused(content) == pictures.TOO_MANY


def test_a_pdf_is_counted() -> None:
    """A PDF goes as it is, its pages known."""
    content = samples.pdf(3)
    found = read('"a"', content)
    assert isinstance(found, Document)
    assert (base64.b64decode(found.data), found.pages) == (content, 3)


def test_a_pdf_whose_pages_cannot_be_counted_goes_as_it_is() -> None:
    """The model's service may read what we can't."""
    for content in (b"%PDF-1.7\nnothing else", samples.pdf(2)[:200], b"junk\n%PDF-1.4 " + b"\xff" * 100):
        found = read('"a"', content)
        assert isinstance(found, Document)
        assert found.pages is None


def test_a_pdf_with_a_password_or_too_many_pages_is_refused() -> None:
    """The service takes neither; the reason says which."""
    assert "password" in refused(samples.pdf(password="secret"))
    assert refused(samples.pdf(pdf.PAGES + 1)).startswith("has 101 pages")
    assert "password" in refused(b"%PDF-1.7\ntrailer << /Encrypt 5 0 R /Root 1 0 R >>")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"a,b\n1,2\n", "a,b\n1,2\n"),
        ("wörter, 日本".encode(), "wörter, 日本"),
        (b"\xef\xbb\xbfmarked", "marked"),
        ("wörter 日本".encode("utf-16"), "wörter 日本"),
        ("wörter".encode("utf-32"), "wörter"),
        ("wörter, größer – als „alles“".encode("cp1252"), "wörter, größer – als „alles“"),
        (b"\x1b[31mred\x1b[0m log", "\x1b[31mred\x1b[0m log"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "<svg xmlns='http://www.w3.org/2000/svg'/>"),
    ],
    ids=["csv", "utf-8", "mark", "utf-16", "utf-32", "windows", "colours", "svg"],
)
def test_text_is_text_whatever_it_is_called(content: bytes, text: str) -> None:
    """The content decides, in any of the encodings that texts come in."""
    assert read('"a.exe"', content) == TextFile('"a.exe"', text)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        (b"\x00\x01\x02" * 50, "is neither a picture"),
        (bytes(range(256)), "is neither a picture"),
        (b"\xff\xfe\x00", "is neither a picture"),
        (b"\0\0\0\x18ftypmp42" + b"\0" * 40, "is a video"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 40, "is a HEIC picture"),
        (b"\0\0\0\x18ftypM4A " + b"\0" * 40, "is a sound recording"),
        (b"\x1aE\xdf\xa3 webm", "is a video"),
        (b"OggS\0\x02", "is a sound recording"),
        (b"RIFF\x10\0\0\0WAVE", "is a sound recording"),
        (b"PK\x03\x04 word/document.xml", "is a ZIP archive"),
        (b"II*\0\x08", "is a TIFF picture"),
    ],
)
def test_what_cannot_be_opened_is_named_for_what_it_is(content: bytes, reason: str) -> None:
    """In words that complete a sentence."""
    assert refused(content).startswith(reason)


def test_a_file_shows_none_of_its_content_in_a_log() -> None:
    """What a file is to us may end up in a traceback: its content doesn't."""
    for content in (b"sesame", samples.picture(), samples.pdf()):
        shown = repr(read('"a"', content))
        assert "sesame" not in shown
        assert len(shown) < 200


def test_a_long_text_is_cut_in_the_middle() -> None:
    """Beginning and end are kept, and a line says how much is left out."""
    text = "\n".join(f"line {number}" for number in range(10_000))
    shown = cut(text, 3_000)
    assert len(shown) < 3_100
    assert shown.startswith("line 0\nline 1\n")
    assert shown.endswith("line 9998\nline 9999")
    left = int(shown.split("[… ")[1].split(" ")[0].replace(",", ""))
    head, _, tail = shown.partition(f"\n[… {left:,} characters are left out here …]\n")
    assert len(head) + len(tail) + left == len(text)
    assert cut("short", 5) == "short"
    assert len(cut("x" * 1_000, 100)) < 200
