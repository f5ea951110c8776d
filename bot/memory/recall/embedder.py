"""Embedders: from text to vector. The bundled one needs no network; the others are mem0's own classes.

`make_embedder` creates them. Every embedder has mem0's `embed` and `embed_batch`, and a `name` and `dims`, by which the
stores keep vectors of different models apart.
"""

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from bot.config import Settings, SettingsError, load
from bot.settings_check import WORDLLAMA, embedder_named
from bot.text.clean import clean


class Embedder(Protocol):
    """What the bot needs of an embedder; mem0 needs the two methods."""

    name: str
    dims: int

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        """The text's vector, `dims` numbers."""
        ...

    def embed_batch(self, texts: Sequence[str], memory_action: str = "add") -> list[list[float]]:
        """The texts' vectors, in the same order."""
        ...


class WordLlamaEmbedder:
    """wordllama's 256-dimension model, bundled with its package. Vectors have length 1, or 0 for texts without words.

    Reads the package's files without importing its code, which holds the matrix twice, as float32, and imports four
    libraries that the bot doesn't need. The vectors are bit-identical; this saves 55 MB and 0.2 s.
    """

    name = WORDLLAMA
    dims = 256

    def __init__(self) -> None:
        package = importlib.util.find_spec("wordllama")
        if package is None or package.origin is None:
            raise ImportError("wordllama is not installed")
        folder = Path(package.origin).parent
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        # The model caches the last 10,000 "words", per thread. This model doesn't split texts, so a "word" is a whole
        # text: 13 MB for a thousand messages, which never recur and which must not stay here once they are forgotten.
        # It is no slower without (measured: 0.08 ms a text either way), and there is no public way to turn it off
        # (tokenizers 0.23).
        self._tokenizer.model._resize_cache(0)
        self._weights = _map(folder / "weights" / "l2_supercat_256.safetensors", "embedding.weight")

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        """The text's vector, 256 numbers."""
        vector: list[float] = self._vectors([text])[0].tolist()
        return vector

    def embed_batch(self, texts: Sequence[str], memory_action: str = "add") -> list[list[float]]:
        """The texts' vectors, in the same order."""
        vectors: list[list[float]] = self._vectors(texts).tolist()
        return vectors

    def _vectors(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dims), dtype=np.float32)
        for row, text in enumerate(texts):
            if words := self._tokenizer.encode(clean(text), add_special_tokens=False).ids:
                vectors[row] = self._weights[words].astype(np.float32).sum(axis=0) / np.float32(len(words))
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: npt.NDArray[np.float32] = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
        return unit


def _map(path: Path, tensor: str) -> npt.NDArray[np.float16]:
    """Memory-map a matrix of a safetensors file: only the rows of words that occur take up memory."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        about = json.loads(file.read(length))[tensor]
    if about["dtype"] != "F16":
        raise ValueError(f"{tensor} is {about['dtype']}, not F16")
    return np.memmap(path, "<f2", "r", 8 + length + about["data_offsets"][0], tuple(about["shape"]))


class Mem0Embedder:
    """One of mem0's embedders, with its name and number of dimensions, which it finds out by embedding a word."""

    def __init__(self, name: str, embedder: Any) -> None:
        self.name = name
        self._embedder = embedder
        self.dims = len(self.embed("dimension"))

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        """The text's vector, `dims` numbers. Services reject empty texts, so they are embedded as a full stop."""
        return [float(number) for number in self._embedder.embed(clean(text).strip() or ".", memory_action)]

    def embed_batch(self, texts: Sequence[str], memory_action: str = "add") -> list[list[float]]:
        """The texts' vectors, in the same order."""
        cleaned = [clean(text).strip() or "." for text in texts]
        return [[float(number) for number in vector] for vector in self._embedder.embed_batch(cleaned, memory_action)]


def make_embedder(spec: str, settings: Settings | None = None) -> Embedder:
    """The embedder that BOT_EMBEDDER names: `wordllama`, `fastembed:<model>`, `openai:<model>` or `ollama:<model>`.

    Loads the model, or calls its service once. Raises SettingsError if that fails.
    """
    provider, model = embedder_named(spec)
    if provider == WORDLLAMA:
        return WordLlamaEmbedder()
    settings = settings or load()
    if provider == "openai" and settings.openai_api_key is None:
        raise SettingsError("BOT_EMBEDDER: openai needs OPENAI_API_KEY")
    try:
        return Mem0Embedder(spec, _mem0(provider, model, settings))
    except ImportError as exc:
        raise SettingsError(f"BOT_EMBEDDER: the Python package {provider} is not installed") from exc
    except Exception as exc:
        raise SettingsError(f"BOT_EMBEDDER: {provider} can't serve that model ({type(exc).__name__})") from exc


def _mem0(provider: str, model: str, settings: Settings) -> Any:
    from mem0.configs.embeddings.base import BaseEmbedderConfig

    config = BaseEmbedderConfig(model=model)
    if provider == "fastembed":
        from mem0.embeddings.fastembed import FastEmbedEmbedding

        return FastEmbedEmbedding(config)
    if provider == "openai":
        from mem0.embeddings.openai import OpenAIEmbedding

        config.api_key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else None
        config.openai_base_url = settings.openai_base_url
        return OpenAIEmbedding(config)
    from mem0.embeddings.ollama import OllamaEmbedding

    config.ollama_base_url = settings.ollama_host
    return OllamaEmbedding(config)
