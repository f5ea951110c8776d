"""One package per platform: the SDK's events become the bot's, and replies become the SDK's calls.

What an adapter (`bot.ports.Adapter`) must do; docs/adapters.md says how to write one, and `tests/adapters/contract.py`
holds each one to it.

- Events: parse the SDK's event once, at the edge, into a frozen value of `bot.events`, or into None where it isn't
  meant for the bot. Ids are the platform's own and begin with its name; a message has one id, however often it is
  delivered.
- Audience: say who can read a place as narrowly as it is; what can't be told is for members, never public.
- Admission: acknowledge a message only once `Messages.admit` has recorded it; where it can't, let the platform deliver
  it again, or read it in the next catch-up. Hand over messages of one place in order, and what was missed before what
  is said now.
- One answer: ask `Messages.confirm` right before each request that shows some of it, and let what it raises pass.
  `ReplyHandle.found` finds a whole answer of an earlier process; `stream` finishes a partial one in place, so a
  growing answer shows at every instant that it isn't whole yet. A request of unknown effect is looked up before it is
  repeated.
- Text: answers are Markdown. Render it, split it within the platform's limits, and let nothing in it ping, whether as
  text, code or link; views are plain text, to be escaped.
- Failures: raise OSError (ConnectionError) where a later try may work, and PlatformRefused where none will, after the
  other forms that the adapter has for it were tried. Rate limits are waited for, and are no failure.
- Privacy: views, forms and files are for the caller alone, and so are whispers where the platform can. No text, name
  or file name from outside is logged.
- Changes: tell the core of deletions (the bot's own messages too), edits of text, and the bot's removal and return.
- Catch-up: after each gap read the places that `History.last_seen` names, and compare what `History.recently_seen`
  knows; answer, forget and learn anew what was missed.
- Life: `run` reconnects by itself, sets `ready` once events arrive, raises SettingsError where a token is refused, and
  returns after `stop`, which takes in nothing new and lets answers in progress finish.

An adapter imports events, views, ports and values, `bot.commands`' registry and parser, settings, and helpers
(`bot.aio`, `bot.network`, `bot.logs`); never the core, and never another adapter. `adapters.common` holds what several
need.
"""
