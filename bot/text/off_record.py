"""Recognises that a message is off the record: its first words say that it is not to be remembered.

Without a model, so that it holds whatever a model makes of the message. Only the plainest ways to say it in a few
languages; anything else is the model's to understand.
"""

import re

#: How far into a message it is looked for.
_LOOKED_AT = 200

#: Words that come before it.
_FIRST = (
    *("hey", "hi", "hello", "ok", "okay", "so", "btw", "by the way", "please", "just"),
    *("hallo", "bitte", "übrigens", "s'il te plaît", "por favor", "per favore", "alsjeblieft", "proszę", "пожалуйста"),
)
#: What is said, whatever follows: a pattern for each language.
_SAID = (
    r"(?:this is |strictly |all )?off[ -]the[ -]record\b",
    r"оффрекорд\b|не для записи\b",
    "オフレコ|(?:これ|この話|今の話)[はをも]?(?:覚え|記憶し)ないで",
    "(?:请)?(?:不要|别|別)(?:记住|記住|记下|記下)",
    r"기억하지\s?(?:마|말아)",
)
#: What may as well begin a sentence about something else ("don't remember this song"): only before the sentence's end.
_SAID_ALONE = (
    r"(?:do not|don't|dont|never) (?:remember|save|store|note|memori[sz]e|learn) (?:any of )?(?:this|the following)",
    r"(?:nicht merken|merke? dir (?:das|dies|folgendes) (?:bitte )?nicht|(?:das|dies) (?:bitte )?nicht merken)",
    r"ne (?:retiens|retenez|mémorise|mémorisez|note|notez) pas (?:ça|ceci|cela)",
    r"no (?:recuerdes|guardes|memorices|anotes) (?:esto|eso)",
    r"não (?:guardes?|memorizes?|anotes?|(?:te lembres|se lembre) d)(?: ?isto| ?isso|isto|isso)",
    r"non (?:ricordare|memorizzare|salvare|annotare) (?:questo|ciò)",
    r"onthoud (?:dit|dat) (?:alsjeblieft )?niet|niet onthouden",
    r"nie (?:zapamiętuj|zapisuj) tego",
    r"не (?:запоминай|запоминайте|сохраняй|сохраняйте) (?:это|этого)",
)
_ASKED = re.compile(
    rf"\W{{0,3}}(?:(?:{'|'.join(_FIRST)})[\s,!.:]{{1,3}}){{0,2}}"
    rf"(?:{'|'.join(_SAID)}"
    rf"|(?:{'|'.join(_SAID_ALONE)})(?:,? (?:please|bitte|por favor))?(?=\s*(?:[.,:;!…–—\n-]|but\b|$)))",
    re.IGNORECASE,
)


def asks(text: str) -> bool:
    """Whether a message begins with the wish that it isn't remembered."""
    return _ASKED.match(text[:_LOOKED_AT].lstrip().replace("’", "'")) is not None
