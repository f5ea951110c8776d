"""The naive loop of the load benchmark: search, ask, reply, add, as mem0's own guide has it, on mem0's defaults.

`python -m tests.benchmarks.load_naive discord|slack`, with our bot's environment variables: `AsyncMemory` with its
embedded Qdrant and its own Anthropic class. Its embedder is ours, since its defaults need a network.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anthropic

from tests.benchmarks.load_floor import MODEL, PERSONA, run

EXTRACTS = "claude-haiku-5-5"


class Naive:
    """Claude with mem0, one step after the other."""

    def __init__(self) -> None:
        self._claude = anthropic.AsyncAnthropic()
        self._memory = open_memory(Path(os.environ["BOT_DATA_DIR"]))

    async def answer(self, user: str, text: str) -> AsyncIterator[str]:
        """Claude's answer, whole."""
        found = await self._memory.search(text, filters={"user_id": user})
        memories = "\n".join(f"- {row['memory']}" for row in found["results"])
        reply = await self._claude.messages.create(
            model=MODEL,
            max_tokens=2048,
            system=f"{PERSONA}\nUser memories:\n{memories}",
            messages=[{"role": "user", "content": text}],
            thinking={"type": "between_tools"},
        )
        yield "".join(block.text for block in reply.content if block.type == "text")

    async def learn(self, user: str, text: str, answer: str) -> None:
        """Add the exchange, with an extraction of its own."""
        said = [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
        await self._memory.add(said, user_id=user)


def open_memory(folder: Path) -> Any:
    """mem0's `AsyncMemory` on its defaults, but for addresses, folders and the embedder."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.update(MEM0_TELEMETRY="False", MEM0_DIR=str(folder), HF_HUB_OFFLINE="1")
    from mem0 import AsyncMemory

    from bot.memory.recall.embedder import WordLlamaEmbedder

    embedder = WordLlamaEmbedder()
    # anthropic 2.12 has no sampling parameters left, which mem0's class sends unless told otherwise.
    llm = {"model": EXTRACTS, "api_key": "sk-test", "enable_sampling_parameters": False}
    llm["anthropic_base_url"] = os.environ["ANTHROPIC_BASE_URL"]
    store = {"path": str(folder / "qdrant"), "on_disk": True, "embedding_model_dims": embedder.dims}
    memory = AsyncMemory.from_config(
        {
            "llm": {"provider": "anthropic", "config": llm},
            "vector_store": {"provider": "qdrant", "config": store},
            "embedder": {"provider": "openai", "config": {"api_key": "unused", "embedding_dims": embedder.dims}},
            "history_db_path": str(folder / "history.db"),
        }
    )
    memory.embedding_model = embedder
    return memory


if __name__ == "__main__":
    run(Naive)
