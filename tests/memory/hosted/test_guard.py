"""No request about nobody or everybody ever reaches hosted mem0, whatever the code before asks for."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from bot.memory.hosted.client import HostedClient
from bot.memory.hosted.guard import AboutEverybody, check
from tests.fakes.mem0 import KEY, FakeMem0

WRONG: list[Any] = ["", " ", "*", "discord:*", None]


@pytest.fixture
async def mem0() -> AsyncIterator[FakeMem0]:
    async with FakeMem0() as fake:
        fake.put("Ann's", user_id="discord:1")
        yield fake


@pytest.fixture
async def client(mem0: FakeMem0) -> AsyncIterator[HostedClient]:
    opened = await HostedClient.open(KEY, mem0.url)
    mem0.asked.clear()
    yield opened
    await opened.close()


@pytest.mark.parametrize("user_id", WRONG)
async def test_nobody_and_everybody_are_refused(mem0: FakeMem0, client: HostedClient, user_id: Any) -> None:
    """Neither an absent, empty, blank nor wildcard user id leaves the process, in any kind of request."""
    with pytest.raises(AboutEverybody):
        await client.delete_user(user_id, 1)
    with pytest.raises(AboutEverybody):
        await client.add([{"role": "user", "content": "x"}], user_id=user_id, run_id="r")
    with pytest.raises(AboutEverybody):
        await client.search("x", filters={"user_id": user_id})
    with pytest.raises(AboutEverybody):
        await client.all({"OR": [{"user_id": "discord:1"}, {"AND": [{"user_id": user_id}, {"run_id": "*"}]}]})
    with pytest.raises(AboutEverybody):
        await client.all({"AND": [{"run_id": "*"}, {"metadata": {"owner": user_id}}]})
    assert mem0.asked == []
    assert len(mem0.rows) == 1


@pytest.mark.parametrize("filters", [{}, {"OR": []}, {"AND": []}, {"run_id": "*"}, {"NOT": [{"user_id": "discord:1"}]}])
async def test_a_filter_names_somebody(mem0: FakeMem0, client: HostedClient, filters: dict[str, Any]) -> None:
    """A filter that lets people through whom it doesn't name is refused."""
    with pytest.raises(AboutEverybody):
        await client.all(filters)
    assert mem0.asked == []


async def test_what_mem0s_own_client_could_do_to_everybody_is_refused(mem0: FakeMem0, client: HostedClient) -> None:
    """Its sweeping methods end before anything is sent."""
    raw = client._client
    for sweep in (raw.delete_all, raw.delete_users, raw.reset, raw.users):
        with pytest.raises(AboutEverybody):
            await sweep()
    with pytest.raises(AboutEverybody):
        await raw.batch_delete([{"memory_id": "x"}])
    assert mem0.asked == []
    assert len(mem0.rows) == 1


@pytest.mark.parametrize("memory_id", ["", " ", "*", ".", "..", "../..", "a/b", "a?b=c", "%2e"])
async def test_an_odd_memory_id_is_nobodys(mem0: FakeMem0, client: HostedClient, memory_id: str) -> None:
    """An id that would bend the path is an unknown one, and nothing is asked."""
    assert await client.get(memory_id) is None
    assert not await client.delete(memory_id)
    assert mem0.asked == []


@pytest.mark.parametrize("host", ["https://api.mem0.ai", "https://proxy.example/v1/mem0"])
async def test_an_address_with_a_path_of_its_own_changes_nothing(host: str) -> None:
    """Behind a proxy, too, one person's request passes and everybody's doesn't."""
    await check(httpx.Request("DELETE", f"{host}/v1/memories/?user_id=discord:1"))
    await check(httpx.Request("DELETE", f"{host}/v1/memories/abc-1/"))
    await check(httpx.Request("POST", f"{host}/v3/memories/search/", json={"filters": {"user_id": "discord:1"}}))
    for everybodys in (
        "/v1/memories/",
        "/v1/memories/?user_id=",
        "/v1/memories/?run_id=x",
        "/v1/entities/",
        "/v1/batch/",
    ):
        with pytest.raises(AboutEverybody):
            await check(httpx.Request("DELETE", f"{host}{everybodys}"))
