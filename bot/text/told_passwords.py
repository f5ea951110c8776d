"""Finds passwords that somebody tells in so many words ("my password is …"), in the languages people chat in.

What follows the word decides: after a colon or "is", a value is a secret unless it is a word that says something about
the password ("too short"); without either, only what looks like nothing else. Missing a password and masking an
ordinary word are both wrong, and the first is worse.
"""

import re
from collections.abc import Iterator
from enum import Enum

#: Characters of a value that are looked at, and words of it that are masked.
_LONGEST = 200
_WORDS, _SEED_WORDS = 6, 24

_PASSWORD = (
    r"pass ?words?|passwd|pass ?codes?|pass[ -]?phrases?|pwd|pw|passw(?:ort|örter)|kennw(?:ort|örter)|mots? de passe"
    r"|mdp|contrase(?:ña|na)s?|clave|senhas?|palavra[ -]passe|parola d[’']ordine|wachtwoord(?:en)?|has(?:ł|l)o"
    r"|паролі?ь?"
    r"|hesl(?:o|em)|jelsz(?:ó|avam|avunk)|parol(?:a|ă|am|amız|ası)|[şs]ifre(?:m|miz|si)?|lösenord(?:et)?|passord(?:et)?"
    r"|kodeord(?:et)?|adgangskoden?|salasana(?:ni|mme)?|κωδικός|kata sandi|kata laluan|mật khẩu|पासवर्ड|পাসওয়ার্ড"
    r"|كلمة (?:السر|المرور|سري|مروري)|باسورد|رمز عبور|پسورد|ה?סיסמ(?:ה|א|תי)"
)
_KEY = (
    r"(?:api|access|secret|auth|authentication|bearer|bot|signing|webhook|private|encryption|license)[ _-]?"
    r"(?:access[ _-]?)?(?:keys?|tokens?|secrets?)|client[ _-]?secret|token|api[ -]?(?:schlüssel|ключ)|clé (?:d[’'])?api"
    r"|clave (?:de )?api|токен"
)
_SEED = r"(?:seed|(?:secret )?recovery) phrase|mnemonic(?: phrase)?"
_PIN = r"pin"
#: In lower case; a text without any of them tells no password.
_NEEDLES = (
    *("pass", "pw", "kennw", "mdp", "contrase", "clave", "senha", "parol", "wachtwoord", "hasło", "haslo", "парол"),
    *(
        "hesl",
        "jelsz",
        "şifre",
        "sifre",
        "lösenord",
        "kodeord",
        "adgangskode",
        "salasana",
        "κωδικός",
        "kata ",
        "mật khẩu",
    ),
    *("पासवर्ड", "পাসওয়ার্ড", "كلمة", "باسورد", "رمز عبور", "پسورد", "סיסמ", "key", "token", "secret", "schlüssel"),
    *("ключ", "clé", "токен", "phrase", "mnemonic", "pin"),
)
_SCOPE = (
    r"(?:\s+(?:for|of|to|on|at|in|für|zum|zur|von|vom|im|pour|de|du|des|del|da|do|di|para|per|voor|van|för|til|для|от|của"
    r"|na|μου|שלי|של|mitt|mit|min|saya)(?:\s+[^\n.,;:!?=]{1,40}?)?)?"
)
_COPULA = (
    r"(?:is|was|are|[’']s|ist|lautet|war|est|était|es|era|é|è|jest|brzmi|je|är|är nu|er|on|είναι|adalah|ialah|là|to"
    r"|это|це|هو|هي|היא|הוא|–|—|-)(?:\s+(?:now|currently|jetzt|ahora|maintenant))?"
)
_STATED = re.compile(
    rf"(?<![^\W_])(?:(?P<seed>{_SEED})|(?P<password>{_PASSWORD})|(?P<key>{_KEY})|(?P<pin>{_PIN}))(?![^\W_])"
    rf"[\"'`\])*]{{0,3}}"
    rf"(?:{_SCOPE}(?:(?P<sign>\s{{0,3}}(?:\s{_COPULA})?\s{{0,3}}(?::=|=>|->|[:=：→])\s{{0,5}})"
    rf"|(?P<is>(?:\s{{1,3}}{_COPULA}|[’']s)\s{{1,5}}))|(?P<bare>\s{{1,5}}))",
    re.IGNORECASE,
)
#: Scripts that don't separate words: the value is what stands there in ASCII.
_UNSPACED = re.compile(
    r"(?:密码|密碼|口令|密钥|密鑰|パスワード|暗証番号|비밀번호|비번|암호|รหัสผ่าน|ລະຫັດຜ່ານ)"
    r"([のは是为為：:=은는이가คือ\s]{0,6})[「『\"“'`]?([!-~]{3,100})"
)
_UNSPACED_NEEDLES = ("密", "口令", "パスワード", "暗証番号", "비밀번호", "비번", "암호", "รหัสผ่าน")
_MINE = re.compile(
    rf"\s(?:is|was|ist|est|es|é|è|är|er|jest|это)\s+(?:my|our|the|mein|unser|das|mon|notre|le|mi|nuestra|la|minha|mitt|mit"
    rf"|moje|мой)\s+(?:[^\W\d_]{{1,20}}\s+)?(?:{_PASSWORD})(?![^\W_])",
    re.IGNORECASE,
)
_CHANGED = re.compile(
    r"\b(?:chang|set|reset|updat|geänder|gesetzt|cambi|mud)[^\W\d_]{0,6}\b[^.\n]{0,40}\Z", re.IGNORECASE
)
_WORD = re.compile(r"\S+")
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "„": "“", "«": "»", "‘": "’", "*": "*", "「": "」"}
#: Stands for a value, or computes it.
_PLACEHOLDER = re.compile(
    r"\A(?:[<{\[$%(|].*|.*[({].*|[*.•…xX_?-]+|.*://.*|null|none|nil|true|false|undefined|string)\Z", re.IGNORECASE
)
_SYMBOL = re.compile(r"[^\w\s.,;:!?'’)\]-]|[_!?.:;,-](?=\w)")
_TRAILING = ".,;:!?)]}»”\"'`"

#: No password begins a sentence's rest with one of these.
_SAYS_NO_MORE = frozenset(
    """
    a about all already also always an and as at because but by can could different either etc exactly for from gone had
    has have he her here his hopefully how i if in inside into it its just like log lost maybe me my never no none not
    now of off ok okay on one only or our out over probably really required reset safe same saved set she should so some
    somehow something somewhere still stored such supposed than that the their then there these they this those to too
    under unknown up very was we well what when where which who why with without written wrong yes you your
    aber auf bei dass der die das ein eine einen er es für hier ich ihr im in immer ist jetzt leider mein nicht nie noch
    nur sehr sie so und unbekannt unter viel vom von weg wie wieder wo zu zum zur
    dans de des du elle encore en et il je la le les mal mais mon non ou où par pas plus pour que qui sans sur toujours
    très trop un une vous
    al con el ella en era está este lo los más mi muy nada no nunca otra para pero por que se segura siempre sin su
    tan también un una uno y ya
    ainda com como da do ela ele em essa mais mas meu minha muito na nem não nesse o os ou para por quase sem sempre seu
    só também um uma
    che ci come con da del della di e il io la lo ma mia mio molto nel non per più però quasi sempre si solo sono troppo
    un uno
    al de een en geen heel het hier ik in is maar met mijn naar niet nog nooit of om op te van voor
    был была было в во для его если еще ещё и из или как мне мой моя на не нет но он она они по с так там то только
    слишком у уже что это я
    czy do dla jak jest już mój moja na nie od oraz po się tak tylko to w za zbyt że bardzo
    """.split()  # noqa: SIM905 - one word a line says no more
)
#: Says something about the password if nothing, or one of the words above, follows.
_ABOUT_IT = frozenset(
    """
    accepted bad better blank broken compromised correct easy empty expired fine forgotten good great hard incorrect
    insecure invalid leaked long missing needed obvious old outdated secret secure short simple strong terrible weak
    abgelaufen einfach falsch gut kurz lang leer richtig schlecht schwach sicher stark vergessen
    bon correct expiré faible faux incorrect long oublié court sûr
    correcta débil difícil fácil incorrecta larga corta olvidada vencida
    correta errada fraca forte esquecida longa curta
    corretta debole errata facile scaduta sbagliata sicura lunga corta
    fout goed kort lang sterk verlopen zwak
    неверный слабый верный простой сложный старый
    """.split()  # noqa: SIM905 - one word a line says no more
)


class _Kind(Enum):
    PASSWORD = "password"
    KEY = "key"
    SEED = "seed"
    PIN = "pin"


def told_passwords(text: str, lowered: str) -> Iterator[tuple[int, int]]:
    """Where a text tells a password or key. `lowered` is the text in lower case."""
    if any(needle in lowered for needle in _NEEDLES):
        yield from _stated(text)
        yield from _named_after(text)
    if not text.isascii() and any(needle in text for needle in _UNSPACED_NEEDLES):
        yield from _unspaced(text)


def _stated(text: str) -> Iterator[tuple[int, int]]:
    """`KEYWORD is VALUE`, `KEYWORD: VALUE`, `KEYWORD VALUE`."""
    for found in _STATED.finditer(text):
        kind = next(kind for kind in _Kind if found[kind.value])
        at = found.end()
        told = found["is"] or found["sign"]
        if found["is"] and found["is"].strip().lower() == "to":  # "to log in", unless it was changed to something
            told = _CHANGED.search(text[max(0, found.start() - 60) : found.start()])
        span = _value(text, at, kind) if told else _evident(text, at, kind)
        if span:
            yield span


def _value(text: str, at: int, kind: _Kind) -> tuple[int, int] | None:
    """The value that begins there, if it isn't a remark."""
    if close := _QUOTES.get(text[at : at + 1]):
        end = text.find(close, at + 1, at + _LONGEST)
        if end > at + 1 and "\n" not in text[at:end]:
            return None if _PLACEHOLDER.fullmatch(text[at + 1 : end]) else (at + 1, end)
    words = list(_WORD.finditer(text[at : at + _LONGEST].split("\n")[0]))
    if not words or _PLACEHOLDER.fullmatch(words[0].group()):
        return None
    first = words[0].group().rstrip(_TRAILING)
    if kind is _Kind.PIN:
        return (at, at + len(first)) if first.isdecimal() and 4 <= len(first) <= 8 else None
    if _is_made_up(first):
        short = first.isdecimal() and len(first) < 4
        return None if short or (kind is _Kind.KEY and len(first) < 8) else (at, at + _end(words[0]))
    if kind is _Kind.KEY or not first or first.lower() in _SAYS_NO_MORE:
        return None
    last = words[0].group() != first or len(words) == 1 or words[1].group().rstrip(_TRAILING).lower() in _SAYS_NO_MORE
    if first.lower() in _ABOUT_IT and last:
        return None
    end = 0
    for word in words[: _SEED_WORDS if kind is _Kind.SEED else _WORDS]:
        end = _end(word)
        if word.group()[-1] in ".,;!?":
            break
    return at, at + end


def _evident(text: str, at: int, kind: _Kind) -> tuple[int, int] | None:
    """The word there, if it can't be anything but a password."""
    word = _WORD.match(text, at, at + _LONGEST)
    if word is None or kind is _Kind.PIN or _PLACEHOLDER.fullmatch(word.group()):
        return None
    bare = word.group().strip(_TRAILING)
    mixed = any(map(str.isdigit, bare)) and any(map(str.isalpha, bare))
    if len(bare) < (8 if kind is _Kind.KEY else 6) or not mixed:
        return None
    return at, at + _end(word)


def _named_after(text: str) -> Iterator[tuple[int, int]]:
    """`VALUE is my password`."""
    for found in _MINE.finditer(text):
        start = max(0, found.start() - _LONGEST)
        before = list(_WORD.finditer(text[start : found.start()]))
        if not before:
            continue
        word = before[-1].group().strip(_TRAILING + "“„«(")
        if len(word) >= 3 and word.lower() not in _SAYS_NO_MORE and not _PLACEHOLDER.fullmatch(word):
            yield start + before[-1].start(), start + before[-1].end()


def _unspaced(text: str) -> Iterator[tuple[int, int]]:
    for found in _UNSPACED.finditer(text):
        link, value = found.groups()
        if not _PLACEHOLDER.fullmatch(value) and (_is_made_up(value) or (link.strip() and len(value) >= 6)):
            yield found.span(2)


def _is_made_up(word: str) -> bool:
    """Whether it is no word of a language: with digits or signs in it, or capitals after the first letter."""
    inner = word[1:]
    capitals = any(map(str.isupper, inner)) and any(map(str.islower, word))
    return any(map(str.isdigit, word)) or capitals or _SYMBOL.search(word) is not None


def _end(word: re.Match[str]) -> int:
    return word.start() + len(word.group().rstrip(",;"))
