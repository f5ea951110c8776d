"""Embedders give a vector for any text, and say which setting is wrong where they can't."""

import contextlib
import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.config import SettingsError
from bot.memory.recall.embedder import Embedder, make_embedder


@pytest.fixture(scope="module")
def bundled() -> Embedder:
    """The bundled embedder."""
    return make_embedder("wordllama")


def test_the_bundled_embedder_knows_meaning(bundled: Embedder) -> None:
    """Without network, a text is nearer to a similar one than to another, and vectors have length 1."""
    dog, puppy, tax = (np.array(bundled.embed(text)) for text in ("my dog", "a puppy", "income tax return"))
    assert dog @ puppy > dog @ tax
    assert np.linalg.norm(dog) == pytest.approx(1)
    assert len(dog) == bundled.dims == 256
    assert bundled.name == "wordllama"


@pytest.mark.parametrize("text", ["", " ", "\0", "\ud800", "a\ud83d\0b", "🎉", "字" * 5000, "word " * 20_000])
def test_any_text_has_a_vector(bundled: Embedder, text: str) -> None:
    """Empty, broken and very long texts have a vector of finite numbers."""
    assert np.isfinite(bundled.embed(text)).all()


def test_a_batch_is_the_same_as_one_by_one(bundled: Embedder) -> None:
    """A text's vector doesn't depend on its neighbours in a batch."""
    texts = ["likes tea", "a much longer text about the mountains of Portugal", ""]
    assert bundled.embed_batch(texts) == [bundled.embed(text) for text in texts]
    assert bundled.embed_batch([]) == []


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="the process's own memory can't be read here")
def test_no_text_is_kept(bundled: Embedder) -> None:
    """Of 500 texts, the process's memory holds next to none in the form that the tokenizer gives them, 2,000 later.

    Not none for sure: what was given back isn't wiped, and now and then nothing has been written over it yet.
    """
    marked = "".join(map(chr, b"qzkfohuhup"))
    for number in range(500):
        bundled.embed(f"My bird is a {marked}{number}, and it sings.")
    for number in range(2000):
        bundled.embed(f"Number {number} says something else about tea.")
    # In a form that isn't what it looks for: U+2581 stands for the space before a word.
    assert in_memory(re.compile(rb"\xe2\x96\x81[q]zkfohuhup")) < 25


def in_memory(pattern: re.Pattern[bytes]) -> int:
    """How often this process's writable memory holds what matches."""
    count = 0
    with Path("/proc/self/mem").open("rb", buffering=0) as memory:
        for line in Path("/proc/self/maps").read_text().splitlines():
            place, rights = line.split()[:2]
            start, end = (int(address, 16) for address in place.split("-"))
            if rights.startswith("rw"):
                with contextlib.suppress(OSError):  # not all of what is mapped can be read
                    memory.seek(start)
                    count += len(pattern.findall(memory.read(end - start)))
    return count


def test_the_vectors_are_the_packages_own(bundled: Embedder) -> None:
    """Read past the package's code, its model gives what that code gives, to the last bit.

    Once that code maps its weights instead of holding them as float32 (0.4.0 doesn't), it can be used again.
    """
    texts = ["likes tea", "Olá, mundo!", "字字字", "a\tb\nc", "🎉 party", "The Quick brown fox " * 50]
    script = (
        "import sys, json, pathlib, wordllama\n"
        "model = wordllama.WordLlama.load(cache_dir=pathlib.Path(wordllama.__file__).parent, disable_download=True)\n"
        "texts = json.load(sys.stdin)\n"
        "print(json.dumps([model.embed([text], norm=True)[0].tolist() for text in texts]), model.embedding.dtype)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    vectors, _, dtype = run.stdout.rpartition(" ")
    for text, vector in zip(texts, json.loads(vectors), strict=True):
        assert np.abs(np.array(vector) - np.array(bundled.embed(text))).max() < 1e-6
    assert dtype.strip() == "float32"


@pytest.mark.parametrize("spec", ["", "word2vec", "openai", "openai:", "bedrock:x", "fastembed", ":x"])
def test_a_wrong_setting_is_named(spec: str) -> None:
    """A setting that no embedder can serve ends in one line with the variable's name."""
    with pytest.raises(SettingsError, match=r"^BOT_EMBEDDER: [^\n]+$"):
        make_embedder(spec)


def test_openai_without_a_key_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI's embedder without its key says so."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(SettingsError, match="OPENAI_API_KEY"):
        make_embedder("openai:text-embedding-3-small")


def test_a_service_that_is_down_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An embedder's service that can't be reached is a wrong setting, told without the key."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port}/v1")
    with pytest.raises(SettingsError, match="BOT_EMBEDDER: openai can't serve") as raised:
        make_embedder("openai:text-embedding-3-small")
    assert "sk-secret" not in str(raised.value)


async def test_openai_serves_by_mem0s_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """An OpenAI-compatible service embeds; its dimensions are found, and empty texts are never sent."""
    import asyncio

    sent: list[str] = []

    async def embeddings(request: web.Request) -> web.Response:
        body = await request.json()
        sent.extend(body["input"])
        data = [
            {"object": "embedding", "index": index, "embedding": [float(len(text)), 1.0, 0.0]}
            for index, text in enumerate(body["input"])
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return web.json_response({"object": "list", "data": data, "model": body["model"], "usage": usage})

    app = web.Application()
    app.router.add_post("/v1/embeddings", embeddings)
    async with TestServer(app, host="127.0.0.1") as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("OPENAI_BASE_URL", str(server.make_url("/v1")))
        embedder = await asyncio.to_thread(make_embedder, "openai:some-model")
        assert (embedder.name, embedder.dims) == ("openai:some-model", 3)
        assert await asyncio.to_thread(embedder.embed, "abc") == [3.0, 1.0, 0.0]
        assert await asyncio.to_thread(embedder.embed_batch, ["", "ab\0"]) == [[1.0, 1.0, 0.0], [2.0, 1.0, 0.0]]
    assert "" not in sent
