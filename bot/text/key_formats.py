"""What issued credentials look like: one row per issuer, with a literal that every match contains.

The forms are those that the issuers document; tests hold them to the patterns of detect-secrets, which is too slow and
too hungry for a message's path (see docs/decisions/0024-masked-secrets.md). A pattern is only searched for in a text
that contains one of its literals, and takes linear time whatever the text is.
"""

import re
from typing import NamedTuple


class KeyFormat(NamedTuple):
    """The form of one kind of credential. `literals` are in lower case; group 1, if there is one, is the secret."""

    literals: tuple[str, ...]
    pattern: re.Pattern[str]


#: What a token doesn't begin within: a longer word.
_NEW = r"(?<![A-Za-z0-9])"
#: A key's random part holds a digit, unlike words that are joined by hyphens.
_DIGIT = r"(?=[A-Za-z_-]{0,64}[0-9])"

#: Literals, and the pattern.
_FORMS = (
    # Models and machine learning
    ("sk-", rf"{_NEW}sk-{_DIGIT}[A-Za-z0-9_-]{{20,}}"),  # Anthropic, OpenAI, OpenRouter, DeepSeek and others
    ("gsk_ xai- pplx- hf_ r8_ nvapi-", rf"{_NEW}(?:gsk_|xai-|pplx-|hf_|r8_|nvapi-)[A-Za-z0-9_-]{{30,}}"),
    ("m0-", rf"{_NEW}m0-[A-Za-z0-9]{{30,}}"),
    # Code and packages
    ("ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9_]{36,}"),
    ("github_pat_", r"github_pat_[A-Za-z0-9_]{22,}"),
    (
        "glpat- gldt- glft- glsoat- glrt- glcbt- glimt- glptt- glagent- gloas-",
        r"gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-[A-Za-z0-9_-]{20,}",
    ),
    ("gr1348941", r"GR1348941[A-Za-z0-9_-]{20,}"),
    ("npm_", rf"{_NEW}npm_[A-Za-z0-9]{{30,}}"),
    ("_authtoken", r":_authToken=\s{0,5}([^\r\n]+)"),
    ("pypi-age", r"pypi-AgE[A-Za-z0-9_-]{60,}"),
    ("dckr_pat_", r"dckr_pat_[A-Za-z0-9_-]{20,}"),
    ("akc ap", rf"{_NEW}(?:AKC|AP[0-9A-F])(?=[A-Za-z]{{0,64}}[0-9])[A-Za-z0-9]{{30,}}"),  # Artifactory
    # Clouds
    ("a3t abia acca akia asia", rf"{_NEW}(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{{16}}"),
    ("aws", r"(?i)aws.{0,20}?(?:key|pwd|pw|password|pass|token).{0,20}?['\"]([0-9a-zA-Z/+]{40})['\"]"),
    ("accountkey=", r"AccountKey=([A-Za-z0-9+/=]{80,})"),
    ("aiza", r"AIza[A-Za-z0-9_-]{35}"),
    ("gocspx- ya29.", r"(?:GOCSPX-|ya29\.)[A-Za-z0-9_-]{20,}"),
    ("_v1_", r"do[opr]_v1_[a-f0-9]{64}"),
    ("hvs. hvb.", rf"{_NEW}hv[sb]\.[A-Za-z0-9_-]{{24,}}"),
    ("dapi", rf"{_NEW}dapi[a-f0-9]{{32}}"),
    ("age-secret-key-", r"AGE-SECRET-KEY-1[0-9A-Z]{50,}"),
    # Chat, mail and telephony
    ("xox", r"(?i)xox[abeoprs](?:\.xox[bp])?-(?:(?:[0-9]+-)+[a-z0-9]+|[a-z0-9-]{10,})[a-z0-9-]*"),
    ("xapp-", r"(?i)xapp-[0-9]-[A-Za-z0-9-]{20,}"),
    ("hooks.slack.com/", r"(?i)hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9_/]{6,})"),
    ("/webhooks/", r"(?i)discord(?:app)?\.com/api(?:/v[0-9]{1,2})?/webhooks/([0-9]{5,}/[A-Za-z0-9_-]{20,})"),
    (".", r"(?<![A-Za-z0-9_.-])[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}"),  # Discord
    (":", r"(?<![0-9])[0-9]{8,10}:[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),  # Telegram
    ("ac sk", rf"{_NEW}(?:AC|SK)[a-z0-9]{{32}}(?![A-Za-z0-9])"),  # Twilio
    ("sg.", rf"{_NEW}SG\.[A-Za-z0-9_-]{{22}}\.[A-Za-z0-9_-]{{43}}"),
    ("-us", r"(?<![0-9a-z])[0-9a-z]{32}-us[0-9]{1,2}"),  # Mailchimp
    # Money and shops
    ("_live_ _test_", r"[rsp]k_(?:live|test)_[0-9A-Za-z]{16,}"),
    ("whsec_", r"whsec_[A-Za-z0-9+/=]{24,}"),
    ("sq0", r"sq0(?:csp|atp|idp)-[0-9A-Za-z\\_-]{22,}"),
    ("shp", rf"{_NEW}shp(?:at|ca|pa|ss)_[a-fA-F0-9]{{32}}"),
    # Tools
    ("secret_ ntn_", rf"{_NEW}(?:secret|ntn)_[A-Za-z0-9]{{40,}}"),
    ("lin_api_ figd_ sbp_", r"(?:lin_api|figd|sbp)_[A-Za-z0-9_-]{30,}"),
    ("atatt3", r"ATATT3[A-Za-z0-9_=-]{60,}"),
    ("pmak-", r"PMAK-[A-Za-z0-9]{24}-[A-Za-z0-9]{30,}"),
    ("glsa_ pscale_ nrak- sntrys_", r"(?:glsa_|pscale_(?:tkn|pw|oauth)_|NRAK-|sntrys_)[A-Za-z0-9_.=/+-]{20,}"),
    # Whatever issues them
    (
        "eyj",
        r"(?<![A-Za-z0-9_=-])eyJ[A-Za-z0-9_=-]{8,}\.[A-Za-z0-9_=-]{8,}(?:\.[A-Za-z0-9_.+/=-]*)?",
    ),  # JSON Web Tokens
    ("bearer", r"(?i)\bBearer\s{1,5}([A-Za-z0-9._~+/=-]{20,})"),
    ("authorization", r"(?i)\bAuthorization:\s{0,5}Basic\s{1,5}([A-Za-z0-9+/=]{8,})"),
    ("://", r"(?<=://)[^\s/:@?#\[\]]{0,100}:([^\s/@?#\[\]]{1,200})@"),
    (
        "private key",
        r"-{0,5}\s?BEGIN (?:[A-Z0-9]{2,10} ){0,3}PRIVATE KEY(?: BLOCK)?"
        r"(?s:.*?)(?:END (?:[A-Z0-9]{2,10} ){0,3}PRIVATE KEY(?: BLOCK)?-{0,5}|\Z)",
    ),
    ("putty-user-key-file-", r"PuTTY-User-Key-File-[0-9](?s:.*)"),
)

KEY_FORMATS = tuple(KeyFormat(tuple(literals.split()), re.compile(pattern)) for literals, pattern in _FORMS)
