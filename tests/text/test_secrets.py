"""What is masked in what is kept of people's messages, and what isn't."""

import importlib
import pkgutil
import re
from collections.abc import Iterable

import pytest
from detect_secrets import plugins
from detect_secrets.plugins.base import RegexBasedDetector
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.text.secrets import MASK, found, holds, mask

RANDOM = "aB3dE5gH7jK9mN1pQ2sT4vW6xY8zA0cD2eF4gH6iJ8kL0mN2oP4qR6sT8uV0wX2yZ4"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\nZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----"

#: What somebody says, with the secret in it in braces.
MASKED = [
    # Keys and tokens
    f"use {{sk-ant-api03-{RANDOM}}} for that",
    f"OpenAI: {{sk-proj-{RANDOM}}}",
    "DeepSeek's is {sk-0123456789abcdef0123456789abcdef}",
    f"{{ghp_{RANDOM[:36]}}}",
    f"my token is {{github_pat_{RANDOM[:40]}}}, keep it",
    f"{{glpat-{RANDOM[:20]}}}",
    "{AKIAIOSFODNN7EXAMPLE}",
    f"aws_secret_access_key = {{{RANDOM[:40]}}}",
    f"Slack gave me {{xoxb-123456789012-1234567890123-{RANDOM[:24]}}}",
    f"https://hooks.slack.com/services/{{T00000000/B00000000/{RANDOM[:24]}}}",
    f"https://discord.com/api/webhooks/{{123456789012345678/{RANDOM}}}",
    f"{{MTIzNDU2Nzg5MDEyMzQ1Njc4.Gh7jKl.{RANDOM[:38]}}}",
    f"{{AIzaSy{RANDOM[:33]}}}",
    f"{{hf_{RANDOM[:34]}}}",
    f"{{sk_live_{RANDOM[:24]}}}",
    f"Authorization: Bearer {{{RANDOM[:40]}}}",
    "{eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P}",
    "postgresql://bob:{s3cr3t}@db.example.com/x",
    f"here it is:\n{{{KEY}}}\nthanks",
    "API key: {abcd1234efgh}",
    "export OPENAI_API_KEY={abcd-1234-efgh-5678}",
    "DB_PASSWORD={hunter2}",
    '{"password": "{hunter2}"}',
    # Cards
    "my card is {4111 1111 1111 1111}, expires 12/27",
    "{4111111111111111}",
    "{5555-5555-5555-4444} 12/27 123",
    "{4111 1111 1111 1111} 123",
    "Amex: {3782 822463 10005}",
    "{378282246310005}",
    # "My password is", in English
    "my password is {hunter2}",
    "My password is {swordfish}",
    "my password is {swordfish}, don't tell anybody",
    "My password's {hunter2}",
    "my password is now {Tr0ub4dor&3}",
    "the password for the wifi is {sunshine42}",
    "the password of my mail is {Swordfish}",
    "my password is {correct horse battery staple}",
    "Password: {correct horse battery staple}",
    'my password is "{open sesame}"',
    "my password is “{open sesame}”",
    "wifi password {abc123xyz}",
    "I changed my password to {swordfish}",
    "{hunter2} is my password",
    "{swordfish} is my password",
    "my passphrase is {tiger eats blue soup}",
    "passcode: {884422}",
    "my PIN is {1234}",
    "PIN: {4711}",
    "My seed phrase is {witch collapse practice feed shame open despair creek road again ice least}",
    "the pw is {letmein}",
    # In other languages
    "Mein Passwort ist {Geheim123}",
    "mein Passwort lautet {schwertfisch}",
    "Das Passwort für das WLAN ist {sonnenschein}",
    "Kennwort: {geheim}",
    "mon mot de passe est {azerty12}",
    "mon mot de passe est {soleil}",
    "mdp : {azerty12}",
    "mi contraseña es {soleado}",
    "mi contraseña es {Sol2024!}",
    "minha senha é {girassol}",
    "la mia password è {girasole}",
    "mijn wachtwoord is {zonnebloem}",
    "moje hasło to {slonecznik1}",
    "мой пароль {qwerty12}",
    "мой пароль: {подсолнух}",
    "мій пароль це: {qwerty12}",
    "moje heslo je {slunecnice1}",
    "a jelszavam: {napraforgo}",
    "şifrem: {aycicegi}",
    "mitt lösenord är {solros}",
    "mit kodeord er {solsikke}",
    "salasanani on {auringonkukka}",
    "ο κωδικός μου: {iliotropio1}",
    "kata sandi saya adalah {bungamatahari}",
    "mật khẩu của tôi là {huongduong1}",
    "मेरा पासवर्ड {suraj123} है",
    "كلمة المرور هي {shams123}",
    "كلمة السر: {shams123}",
    "הסיסמה שלי היא {shemesh1}",
    "我的密码是{abc123}",
    "密碼：{abc123}",
    "パスワードは{abc123}です",
    "パスワード：「{himawari}」",
    "비밀번호는 {abc123}이야",
    "รหัสผ่านคือ {abc123}",
]

#: What no secret is in.
PLAIN = [
    "my locker is 4711",
    "My locker's number is 4711.",
    "remember that my locker is 4711",
    "my phone number is +49 30 12345678",
    "call me at 555-867-5309",
    "+1 415 555 2671",
    "0049 30 1234 5678",
    "My booking code is XK7P2Q",
    "booking reference: QWERTZ",
    "my flight is LH 1234 on 2026-12-24",
    "order number 4111-2222",
    "4111 1111 1111 1112",
    "1234567890123456",
    "3141592653589793",
    "<@412345678901234563> said so",
    "<:smile:411111111111111111>",
    "ISBN 978-3-16-148410-0",
    "IBAN DE89 3704 0044 0532 0130 00",
    "my IMEI is 356938035643809",
    "my password is too short",
    "my password is not very good",
    "my password is wrong",
    "My password is correct, but it lets me in nowhere.",
    "my password is the same everywhere",
    "my password is 12 characters long",
    "my password is expired.",
    "my password isn't accepted",
    "what is my password?",
    "What's the password?",
    "I forgot my password",
    "I need a password to log in",
    "how do I change my password to something better?",
    "is my password secure?",
    "the password policy: at least 12 characters",
    "passwords: we need a manager",
    "password reset link https://example.com/reset/abc123",
    "password = get_password()",
    "PASSWORD=${DB_PASSWORD}",
    "password: <your password>",
    "password: ********",
    "Mein Passwort ist falsch",
    "mein Passwort ist zu kurz",
    "mon mot de passe est trop court",
    "mi contraseña es muy larga",
    "minha senha é fraca",
    "мой пароль слишком простой",
    "我的密码是什么？",
    "パスワードを忘れました",
    "the token is expired",
    "the key is under the mat",
    "the key: practice every day",
    "I wear a name tag and a pin",
    "my pin code is 560001",
    "the api key is missing",
    "I read scikit-learn's sk-learn-contrib-project-template notes",
    "task-manager-for-the-whole-family-2026",
    "She has a secret: she sings.",
    "my bird is called Zoe",
    "3.14159265358979323846",
    "git commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "my id is 550e8400-e29b-41d4-a716-446655440000",
    "https://www.example.com/a/b?c=4111#d",
    "time: 12:30, room 4:35",
]


@pytest.mark.parametrize("said", MASKED)
def test_secrets_are_masked(said: str) -> None:
    """All of the secret goes, and nothing of what stands before it."""
    before, secret, after = _parts(said)
    text = f"{before}{secret}{after}"
    masked = mask(text)
    assert masked.startswith(f"{before}{MASK}")
    assert secret not in masked
    assert holds(text)
    assert any(secret in each or each in secret for each in found(text))


def _parts(said: str) -> tuple[str, str, str]:
    parts = re.fullmatch(r"((?s:.*?)(?<!^)|)\{((?!\")[^{}]*)\}((?s:.*))", said)
    assert parts
    return parts[1], parts[2], parts[3]


@pytest.mark.parametrize("said", PLAIN)
def test_everything_else_stays(said: str) -> None:
    """No other number, code or remark about a password is one."""
    assert mask(said) == said
    assert not holds(said)
    assert found(said) == ()


@pytest.mark.parametrize("said", MASKED)
def test_masking_twice_changes_nothing(said: str) -> None:
    """So that nobody has to know whether a text was masked."""
    masked = mask("".join(_parts(said)))
    assert mask(masked) == masked


def test_what_repeats_a_secret_is_masked_too() -> None:
    """An answer quotes the message that it answers."""
    secrets = found("my password is Swordfish.")
    assert mask("Noted, Swordfish it is: swordfish is a fish.", secrets) == f"Noted, {MASK} it is: swordfish is a fish."


#: Detectors that aren't followed, and why.
LEFT_OUT = {
    "ArtifactoryDetector": "takes words in capitals for tokens",
    "CloudantDetector": "needs the name of the service beside a value that looks like any other",
    "IbmCloudIamDetector": "needs the name of the service beside a value that looks like any other",
    "IbmCosHmacDetector": "needs the name of the service beside a value that looks like any other",
    "SoftlayerDetector": "needs the name of the service beside a value that looks like any other",
    "IPPublicDetector": "an address is no credential",
    "JwtTokenDetector": "takes every word with a dot that begins with eyJ for a token",
    "AzureStorageKeyDetector": "matches names of parameters, too",
}


def _detectors() -> list[tuple[str, re.Pattern[str]]]:
    names = [found.name for found in pkgutil.iter_modules(plugins.__path__)]
    classes = {
        value.__name__: value
        for name in names
        for value in vars(importlib.import_module(f"detect_secrets.plugins.{name}")).values()
        if isinstance(value, type) and issubclass(value, RegexBasedDetector)
    }
    followed = [name for name, each in classes.items() if name not in LEFT_OUT and not each.__abstractmethods__]
    return [(name, pattern) for name in sorted(followed) for pattern in _denylist(classes[name])]


def _denylist(detector: type[RegexBasedDetector]) -> Iterable[re.Pattern[str]]:
    patterns: Iterable[re.Pattern[str]] = vars(detector)["denylist"]
    return patterns


@pytest.mark.parametrize(("name", "pattern"), _detectors())
def test_what_detect_secrets_knows_is_masked(name: str, pattern: re.Pattern[str]) -> None:
    """Whatever matches one of its patterns for issued keys, standing alone in a message."""

    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.from_regex(pattern, fullmatch=True, alphabet=st.characters(min_codepoint=32, max_codepoint=126)))
    def check(secret: str) -> None:
        assert MASK in mask(f"here: {secret} .")

    check()
