"""docs/views.md, held to what the adapters send."""

import re
from pathlib import Path

import pytest

from docs.render_views import COLUMNS, payloads, quoted

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("platform", ["slack", "discord"])
async def test_the_documented_payload_is_the_one_that_is_sent(platform: str) -> None:
    """The JSON in the page is what the adapter makes of that view today (`python -m docs.render_views` renews it)."""
    found = re.search(rf"<!-- {platform} -->\n```json\n(.*?)\n```", (DOCS / "views.md").read_text(), re.DOTALL)
    assert found is not None
    assert found[1] == quoted(platform, await payloads(platform))


@pytest.mark.parametrize("platform", ["slack", "discord"])
async def test_every_view_is_in_a_picture_of_the_page(platform: str) -> None:
    """No view is left out of the pictures, and each picture exists and is shown."""
    text = (DOCS / "views.md").read_text()
    for name, rows in (await payloads(platform)).items():
        drawn = {place for column in COLUMNS[name] for place in column}
        assert drawn >= set(range(len(rows)))
        assert f"(views/{platform}-{name}.png)" in text
        assert (DOCS / "views" / f"{platform}-{name}.png").read_bytes().startswith(b"\x89PNG")
