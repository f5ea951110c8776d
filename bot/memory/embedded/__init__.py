"""Embedded mem0: its `add` over our own stores, embedder and extractor.

Theory of operation. mem0 2.2.1's `add` is the one way in: for one person and scope it searches the store for memories
near to what was said, writes its extraction prompt with them, asks its LLM, hashes and embeds the facts, and inserts
those whose hash is new. Everything that we need and it doesn't carry goes past it, on a `Lesson` in a context variable
that is set around the call (`bot.memory.vectors.lesson`); `asyncio.to_thread` copies it, so that all parts see one.

- `mem0_env` imports mem0 without telemetry, files, texts in logs, and two libraries that aren't used.
- `mem0_async.BotMemory` is its class on our parts: store, embedder, extractor, and no history database.
- `learning_loop` runs `add` on a thread and loop of its own: no recall waits behind it.
- `extraction_prompt` puts the exchanges, numbered, where mem0 puts new messages; `extractor` is its LLM: Claude by JSON
  schema, with the prompt's fixed part cached. mem0 keeps a fact's text alone, so that sources and what a fact replaces
  are written on the lesson by the text's hash.
- The store's `search` writes on the lesson which memories mem0 has shown, since the answer names them by number; its
  `insert` stores the facts with what the lesson says of them, and marks the exchanges as learned, in one transaction.
  Where mem0 inserts nothing (it drops a fact whose hash it knows), `settle` does the same. mem0 swallows what a store
  raises and tries row by row: the lesson keeps the error, and a second attempt within it is refused.
"""
