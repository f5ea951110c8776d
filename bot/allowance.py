"""A person's allowance of messages a minute."""

from collections import OrderedDict, deque

#: People remembered at once; the one heard longest ago gives way.
PEOPLE = 10_000


class Allowance:
    """Counts messages in a sliding minute per person. `per_minute` 0 is no limit."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._heard: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, person_key: str, now: float) -> float:
        """Seconds until that person may write again; 0.0 where this message is within the allowance (it counts)."""
        if self._per_minute == 0:
            return 0.0
        heard = self._heard.setdefault(person_key, deque())
        self._heard.move_to_end(person_key)
        if len(self._heard) > PEOPLE:
            self._heard.popitem(last=False)
        while heard and heard[0] <= now - 60:
            heard.popleft()
        if len(heard) >= self._per_minute:
            return heard[0] + 60 - now
        heard.append(now)
        return 0.0
