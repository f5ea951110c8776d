"""One package per platform: the SDK's events become the bot's, and replies become the SDK's calls.

What an adapter (`bot.ports.Adapter`) must do; docs/adapters.md says how to write one, and `tests/adapters/contract.py`
tests each of them.

- Events: parse the SDK's event once, at the edge, into a frozen value of `bot.events`, or into None where it isn't
  meant for the bot. Ids are the platform's own and begin with its name; a message has one id, however often it is
  delivered.
- Audience: determine who can read a place, never wider than it is; if that is unknown, it is members, never public.
- Admission: acknowledge a message only once `Messages.admit` has recorded it; if it can't, let the platform deliver it
  again, or read it in the next catch-up. Hand over one place's messages in order, missed ones before new ones.
- One answer: call `Messages.confirm` right before each request that shows any of it, and let its exceptions pass.
  `ReplyHandle.found` finds an earlier process's complete answer; `stream` completes a partial one in place, so a
  growing answer must always be recognisable as incomplete. After a request whose outcome is unknown, check before
  repeating it.
- Text: answers are Markdown. Render it, split it within the platform's limits, and let nothing in it ping, whether in
  text, code or links; views are plain text, to be escaped.
- Failures: raise OSError (ConnectionError) if a retry may succeed, and PlatformRefused if none will, after trying the
  adapter's other forms of the answer. Waiting for a rate limit isn't a failure.
- Privacy: show views, forms and files to the caller alone, and whispers too if the platform can. Never log text, names
  or file names from outside.
- Changes: report deletions (of the bot's own messages, too), edited texts, and the bot's removal and return.
- Catch-up: after each gap, read the places that `History.last_seen` names, and compare what `History.recently_seen`
  returns; hand over what was missed, deleted or edited.
- Life cycle: `run` reconnects by itself, sets `ready` once events arrive, raises SettingsError if a token is refused,
  and returns after `stop`, which accepts nothing new and lets answers in progress finish.

An adapter imports events, views, ports and values, `bot.commands`' registry and parser, settings, and helpers
(`bot.aio`, `bot.network`, `bot.logs`); never the core, and never another adapter. `adapters.common` holds what several
of them need.
"""
