"""The conversations in the README, held to what the bot sends today (`python -m docs.render_talks` draws them anew)."""

from pathlib import Path

import pytest
from PIL import Image

from docs.render_talks import TALKS, payload, written

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("talk", TALKS)
async def test_a_picture_shows_what_is_sent(talk: str) -> None:
    """The picture is in the README, and was drawn from what the platform holds after the same conversation today."""
    assert f"(docs/{talk}.png)" in (ROOT / "README.md").read_text()
    with Image.open(ROOT / "docs" / f"{talk}.png") as picture:
        assert picture.info["payload"] == written(await payload(talk))
