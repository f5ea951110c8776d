"""Embedded mem0: its `add` over our own stores, embedder and extractor.

Theory of operation. Learning goes through mem0 2.2.1's `add`: for one person and scope it searches the store for
memories similar to what was said, builds its extraction prompt from them, calls its LLM, hashes and embeds the facts,
and inserts those whose hash is new. What we need and it doesn't carry bypasses it on a `Lesson`, in a context variable
set around the call (`bot.memory.vectors.lesson`); `asyncio.to_thread` copies the context, so all parts see the lesson.

- `mem0_env` imports mem0 without telemetry, files, text in logs, and two unused libraries.
- `mem0_async.BotMemory` is mem0's class on our parts: store, embedder, extractor, and no history database.
- `learning_loop` runs `add` on its own thread and loop, so that it never delays a recall.
- `extraction_prompt` puts the exchanges, numbered, where mem0 puts new messages; `extractor` is mem0's LLM: Claude with
  a JSON schema, and with the prompt's fixed part cached. mem0 only keeps a fact's text, so its sources and the memories
  that it supersedes go on the lesson, keyed by the text's hash.
- The store's `search` records on the lesson which memories mem0 has shown, since the answer refers to them by number;
  its `insert` stores the facts with what the lesson has about them, and marks the exchanges as learned, in one
  transaction. If mem0 inserts nothing (it drops facts whose hash it knows), `commit` does the same. mem0 swallows the
  store's errors and retries row by row: the lesson keeps the error, and rejects a second attempt.
"""
