"""Slack: what of a growing text is appended to a stream continues what was appended before, and lags little."""

import pytest

from adapters.slack.growing_markdown import settled
from adapters.slack.markdown import streamed
from adapters.slack.text import parts, words

PROSE = """\
Here is **what I know** about *tea*: it is `hot`, and snake_case stays. See [the docs](https://e.x/a_b?c=1) for more.

1. One **bold** item & more
2. Two with `co*de` and 5 < 6
   - nested _it_
3. Three

## A heading

Text after: 2 * 3 = 6, 10_000 things, __under__ and ***both***, **a *nested* b**.
"""
CODE = """\
Run this:

```python
def f(x):
    return x * 2  # **not bold**

print(f(1))
```

After it, ~~gone~~ and https://example.org/x_y_z.
~~~
plain
~~~
Right after.
"""
TABLE = """\
A table:

| a | b |
| --- | --- |
| 1 | **2** |

> A quotation with **bold**
> on two lines

---

- [ ] task
- [x] done, the *end*
"""


@pytest.mark.parametrize("answer", [PROSE, CODE, TABLE], ids=["prose", "code", "table"])
def test_each_continues_the_one_before(answer: str) -> None:
    """However a text grows, character by character, nothing that was appended has to be mended."""
    shown = ""
    for end in range(1, len(answer)):
        for part in parts(words(answer[:end])):
            now = settled(part).shown
            assert now.startswith(shown), answer[:end]
            shown = now
    (whole,) = parts(answer)
    assert streamed(whole).startswith(shown)


@pytest.mark.parametrize("answer", [PROSE, CODE], ids=["prose", "code"])
def test_lags_little(answer: str) -> None:
    """What is held back is the formatting that isn't closed yet, not the text before it."""
    for end in range(1, len(answer)):
        for part in parts(answer[:end]):
            assert len(settled(part).source) > len(part) - 40


@pytest.mark.parametrize(
    ("part", "source"),
    [
        ("Plain words", "Plain words"),
        ("Some **bold", "Some"),
        ("Some **bold** text", "Some **bold** text"),
        ("Code `x", "Code"),
        ("A [link](https://e.", "A"),
        ("A [link](https://e.x) there", "A [link](https://e.x) there"),
        ("a <b", "a"),
        ("AT&T", "AT"),
        ("AT&T is", "AT&T is"),
        ("List:\n\n-", "List:"),
        ("Head\n\n| a | b |\n| -", "Head"),
        ("**Bold", ""),
        ("", ""),
    ],
)
def test_what_is_held_back(part: str, source: str) -> None:
    """Formatting that isn't closed is held back."""
    assert settled(part).source == source


def test_never_slow() -> None:
    """A text of nothing but signs is read in no time."""
    for sign in "*_`[<|&~\\":
        assert settled(sign * 3_900).source in ("", sign * 3_900)
        settled(f"a{sign} " * 1_300)
