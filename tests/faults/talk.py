"""What is said and answered under faults: texts that tell by themselves what is lost, doubled or cut.

A question starts with its tag (`q17`). Its answer is the words `q17.0 q17.1 …`, so that an answer's words in a place,
read in order, are exactly these, once. An extraction gives each exchange as a fact that names the extraction, so that
what is learned twice is there twice.
"""

import itertools
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from tests.fakes import claude as fake
from tests.fakes.claude import Reply, Request

_WORD = re.compile(r"(q\d+)\.(\d+)")
_TAG = re.compile(r"q\d+")
#: A question's, after what is quoted around it.
_ASKED = re.compile(r"^q\d+", re.MULTILINE)


@dataclass(slots=True)
class Model:
    """The handler of a `FakeClaude`.

    Attributes:
        sizes: Words of a tag's answer, where not `size`.
        said: What extractions were given: (user's text, assistant's text), in order.
        thoughts: The tags that were asked at once.
        chat, extraction: Called with each request and the answer that it is about to get; may wait, or return another.
    """

    size: int = 12
    sizes: dict[str, int] = field(default_factory=dict)
    said: list[tuple[str, str]] = field(default_factory=list)
    thoughts: set[tuple[str, ...]] = field(default_factory=set)
    chat: Callable[[Request, Reply], Awaitable[Reply]] | None = None
    extraction: Callable[[Request, Reply], Awaitable[Reply]] | None = None
    _lessons: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def __call__(self, request: Request) -> Reply:
        """Answer a chat with its tag's words, and an extraction with a fact for each exchange."""
        if fake.is_extraction(request):
            lesson = next(self._lessons)
            told = fake.new_messages(fake.last_text(request))
            self.said += [(user, assistant) for _, user, assistant in told]
            facts = [{"text": f"{user} lesson{lesson}", "source": number} for number, user, _ in told if user.strip()]
            reply, then = Reply(fake.facts(*facts)), self.extraction
        else:
            tags = tags_of(fake.last_text(request))
            self.thoughts.add(tags)
            reply, then = Reply(self.answer(*tags)), self.chat
        return await then(request, reply) if then else reply

    def answer(self, *tags: str) -> str:
        """The whole answer to a tag, or to several that are one thought."""
        return " ".join(f"{tag}.{number}" for tag in tags for number in range(self.sizes.get(tag, self.size)))

    def answers(self, tag: str) -> set[str]:
        """The whole answers that a tag may be learned with: its own, that of a thought that it ends, or else none."""
        thoughts = [tags for tags in self.thoughts if tag in tags]
        return {"" if tag != tags[-1] else self.answer(*tags) for tags in thoughts}


def tags_of(text: str) -> tuple[str, ...]:
    """The tags of a question, in order: several, if several messages are answered at once."""
    return tuple(_ASKED.findall(text)) or (tag_of(text),)


def tag_of(text: str) -> str:
    """The tag of a question, or of a fact made of one."""
    found = _ASKED.findall(text) or _TAG.findall(text)[:1]
    assert found, f"no tag in {text!r}"
    return str(found[-1])


def words(texts: Iterable[str]) -> dict[str, list[int]]:
    """The numbers of each tag's words, in the order in which they are shown."""
    shown: dict[str, list[int]] = {}
    for tag, number in _WORD.findall("\n".join(texts)):
        shown.setdefault(tag, []).append(int(number))
    return shown


def others(texts: Iterable[str]) -> list[str]:
    """The texts that hold anything but words of answers."""
    return [text for text in texts if _WORD.sub("", text).strip()]
