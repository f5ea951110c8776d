"""Finds the time range that a question refers to: "yesterday", "last week", "in May 2023", "on 7 May", "2023-05-07".

Only the beginning of a long text (LONGEST) is searched, for at most MAX_EXPRESSIONS; years run from EARLIEST to the
present. Anything beyond these bounds isn't a time.
"""

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.text.clean import one_line

_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "couple": 2, "three": 3, "few": 3, "four": 4, "several": 4, "five": 5}
_NUMBERS |= {"six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12}
_MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october"]
_MONTHS += ["november", "december"]
_MONTH_NUMBER = {name: n for n, name in enumerate(_MONTHS, 1)} | {name[:3]: n for n, name in enumerate(_MONTHS, 1)}
_MONTH_NUMBER["sept"] = 9
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}

_MONTH = r"(?P<month>" + "|".join(sorted(_MONTH_NUMBER, key=len, reverse=True)) + r")\b\.?"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_COUNT = r"(?:(?:a\s+)?(?P<count>\d{1,3}|" + "|".join(_NUMBERS) + r")\s+(?:of\s+)?)"
_UNIT = r"(?P<unit>hour|day|night|week|weekend|month|year)s?"
_WEEKDAY = r"(?P<weekday>" + "|".join(_WEEKDAYS) + r")"
_SEASON = r"(?P<season>" + "|".join(_SEASONS) + r")"

#: Characters read of a text, and expressions found in it.
LONGEST = 4000
MAX_EXPRESSIONS = 32
#: No memory is dated earlier; leaves calendars and time zones room before it.
EARLIEST = 1900
#: Characters before an expression that are searched for a word that changes its meaning.
_BEFORE = 40

Span = tuple[datetime, datetime]
_Rule = Callable[[re.Match[str], datetime], Span | None]


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """The time range that a question refers to.

    Attributes:
        start: The range's start, in the time zone of the `now` that was given.
        end: The range's end, exclusive.
        rest: The question without expressions such as "last week": a memory's "last week" is a different one.
            Calendar dates stay, since a memory may name them.
    """

    start: datetime
    end: datetime
    rest: str


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _after(moment: datetime, time: timedelta) -> datetime:
    """The moment when that time has passed. The sum of the two is what the clock would show had it not been changed."""
    return (moment.astimezone(UTC) + time).astimezone(moment.tzinfo)


def _months_on(start: datetime, months: int) -> datetime:
    """The same day `months` later (or earlier), or that month's last day if there is no such day."""
    month = start.year * 12 + start.month - 1 + months
    year, month = month // 12, month % 12 + 1
    return start.replace(year=year, month=month, day=min(start.day, monthrange(year, month)[1]))


def _period(unit: str, at: datetime) -> Span:
    """The calendar hour, day, week (from Monday), month or year that contains a moment."""
    day = _midnight(at)
    if unit == "hour":
        return _after(at, timedelta(hours=-1)), at
    if unit == "week":
        start = day - timedelta(days=day.weekday())
        return start, start + timedelta(days=7)
    if unit == "weekend":
        start = day - timedelta(days=day.weekday()) + timedelta(days=5)
        return start, start + timedelta(days=2)
    if unit == "month":
        start = day.replace(day=1)
        return start, _months_on(start, 1)
    if unit == "year":
        start = day.replace(month=1, day=1)
        return start, start.replace(year=start.year + 1)
    return day, day + timedelta(days=1)


def _back(unit: str, count: float, now: datetime) -> datetime:
    """The moment `count` units before now."""
    if unit == "month":
        return _months_on(now, -int(count))
    if unit == "year":
        return _months_on(now, -12 * int(count))
    if unit == "hour":
        return _after(now, timedelta(hours=-count))
    return now - timedelta(days=(7 if unit in ("week", "weekend") else 1) * count)


def _count(match: re.Match[str]) -> int:
    word = match["count"]
    return int(word) if word.isdigit() else _NUMBERS[word]


def _ago(match: re.Match[str], now: datetime) -> Span | None:
    unit, count = match["unit"], _count(match)
    then = _back(unit, count, now)
    if match["count"] in ("few", "several", "couple"):  # estimates
        slack = 1 if match["count"] == "couple" else 2
        return _back(unit, count + slack, now), _back(unit, count - slack, now)
    if unit in ("hour", "month", "year"):  # rounded: half a unit to either side
        half = timedelta(days={"month": 15, "year": 183}.get(unit, 1 / 48))
        return _after(then, -half), _after(then, half)
    return _period("day" if unit == "night" else unit, then)


def _past(match: re.Match[str], now: datetime) -> Span | None:
    return _back(match["unit"], _count(match), now), now


def _last_unit(match: re.Match[str], now: datetime) -> Span | None:
    unit, which = match["unit"], match["which"]
    if unit == "night":
        start = _midnight(now)
        return start - timedelta(days=1), start + timedelta(hours=6)
    if which == "this":
        return _period(unit, now)
    if which == "past" and unit != "weekend":
        return _back(unit, 1, now), now
    if unit == "hour":
        return _back(unit, 1, now), now
    if unit == "weekend":
        start, end = _period("weekend", now)
        return (start, end) if end <= now else (start - timedelta(days=7), end - timedelta(days=7))
    start, end = _period(unit, _period(unit, now)[0] - timedelta(hours=1))
    # For people whose weeks begin on Sunday, that one is part of last week too.
    return (start - timedelta(days=1), end) if unit == "week" else (start, end)


def _weekday(match: re.Match[str], now: datetime) -> Span | None:
    days = (now.weekday() - _WEEKDAYS.index(match["weekday"])) % 7
    if days == 0 and match["which"] == "last":
        days = 7
    return _period("day", now - timedelta(days=days))


def _date(match: re.Match[str], now: datetime) -> Span | None:
    groups = match.groupdict()
    month = groups["month"]
    number = _MONTH_NUMBER.get(month) or int(month)
    try:
        if groups["year"]:
            day = _midnight(now).replace(year=int(groups["year"]), month=number, day=int(match["day"]))
        else:
            day = _midnight(now).replace(month=number, day=int(match["day"]))
            if day > now:
                day = day.replace(year=day.year - 1)
    except ValueError:  # 31 April, 29 February of another year: no date
        return None
    return day, day + timedelta(days=1)


def _slashed(match: re.Match[str], now: datetime) -> Span | None:
    first, second, year = int(match["first"]), int(match["second"]), int(match["year"])
    # 5/7/2023 is month first, the American way, unless that isn't a date; 5.7.2023 is day first.
    orders = [(second, first)] if match["sign"] == "." else [(first, second), (second, first)]
    for month, day in orders:
        try:
            start = _midnight(now).replace(year=year, month=month, day=day)
        except ValueError:
            continue
        return start, start + timedelta(days=1)
    return None


def _month(match: re.Match[str], now: datetime) -> Span | None:
    first = _midnight(now).replace(day=1, month=_MONTH_NUMBER[match["month"]])
    if match["year"]:
        first = first.replace(year=int(match["year"]))
    elif first > now or (match["which"] == "last" and first.month == now.month):
        first = first.replace(year=first.year - 1)
    end = _months_on(first, 1)
    part = match["part"]
    if part == "early":
        return first, first + timedelta(days=10)
    if part == "mid":
        return first + timedelta(days=10), first + timedelta(days=20)
    if part == "late":
        return first + timedelta(days=20), end
    return first, end


def _season(match: re.Match[str], now: datetime) -> Span | None:
    # Northern seasons, in whole months: all but winter are within one year.
    start = _midnight(now).replace(day=1, month=_SEASONS[match["season"]])
    if match["year"]:
        start = start.replace(year=int(match["year"]))
    elif start > now:
        start = start.replace(year=start.year - 1)
    if match["which"] == "last" and start <= now < _months_on(start, 3):
        start = start.replace(year=start.year - 1)
    return start, _months_on(start, 3)


def _year(match: re.Match[str], now: datetime) -> Span | None:
    return _period("year", now.replace(year=int(match["year"]), month=1, day=1))


def _days_back(first: int, last: int) -> _Rule:
    def rule(match: re.Match[str], now: datetime) -> Span | None:
        day = _midnight(now)
        return day - timedelta(days=first), day - timedelta(days=last - 1)

    return rule


_WHICH = r"(?P<which>last|past|previous|this)"
# Only a few, since April, May, June and August are also people's names.
_BEFORE_MONTH = r"(?:in|during|since|throughout|after|between|back\s+in)"
_JOIN = r"(?:and|to|until|till|through)"
#: Most specific first. `True`: the words don't occur in a memory's text in this sense, and are left out of `rest`.
_RULES: tuple[tuple[re.Pattern[str], _Rule, bool], ...] = tuple(
    (re.compile(r"\b" + pattern + r"(?!\w)"), rule, relative)
    for pattern, rule, relative in (
        (r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})", _date, False),
        (r"(?P<first>\d{1,2})(?P<sign>[./])(?P<second>\d{1,2})(?P=sign)(?P<year>\d{4})", _slashed, False),
        (rf"{_DAY}\s+(?:of\s+)?{_MONTH}(?:,?\s+(?:of\s+)?{_YEAR})?", _date, False),
        (rf"{_MONTH}\s+(?:the\s+)?{_DAY}(?:,?\s+{_YEAR})?", _date, False),
        (rf"(?:the\s+)?(?:(?P<part>early|mid|late)[\s-]+)?(?P<which>)?{_MONTH},?\s+(?:of\s+)?{_YEAR}", _month, False),
        (
            rf"(?:{_BEFORE_MONTH}\s+)(?:(?P<which>last|this|past)\s+)?(?:(?P<part>early|mid|late)[\s-]+)?{_MONTH}(?P<year>)?",
            _month,
            False,
        ),
        (rf"(?P<which>last|this|past)\s+(?P<part>)?{_MONTH}(?P<year>)?", _month, False),
        (rf"from\s+(?P<which>)?(?P<part>)?{_MONTH}(?P<year>)?(?=\s+{_JOIN}\b)", _month, False),
        (rf"(?P<part>early|mid|late)[\s-]+(?P<which>)?{_MONTH}(?P<year>)?", _month, False),
        (rf"(?P<which>)?{_SEASON}\s+(?:of\s+)?{_YEAR}", _season, False),
        (rf"(?:(?P<which>last|this|past)|in|during|over)\s+(?:the\s+)?{_SEASON}(?P<year>)?", _season, False),
        (r"(?:the\s+)?day\s+before\s+yesterday", _days_back(2, 2), True),
        (r"yesterday(?:\s+(?:morning|afternoon|evening|night))?", _days_back(1, 1), True),
        (r"today|tonight|this\s+(?:morning|afternoon|evening)|earlier\s+on", _days_back(0, 0), True),
        (r"the\s+other\s+day", _days_back(7, 0), True),
        (r"recently|lately", _days_back(14, 0), True),
        (rf"{_COUNT}{_UNIT}\s+(?:ago|earlier|back)", _ago, True),
        (rf"(?:the\s+|these\s+)?(?:last|past|previous)\s+{_COUNT}{_UNIT}", _past, True),
        (rf"(?:the\s+)?{_WHICH}\s+{_UNIT}", _last_unit, True),
        (rf"(?:(?:the\s+)?(?P<which>last|past|previous|this)|on|since|after|between)\s+{_WEEKDAY}", _weekday, True),
        (rf"(?:in|during|of|since|throughout|back\s+in|after|between)\s+{_YEAR}", _year, False),
    )
)
_NOT_MEANT = re.compile(r"\b(?:next|coming|following|before|until|till|by)\s+(?:the\s+)?$")
_OPEN = re.compile(r"(?:^|\b)(?:since|after|starting)\s+(?:the\s+)?$")
_JOINED = re.compile(rf"\s{{0,20}}(?:{_JOIN}\b|-|–)\s{{0,20}}(?:the\s{{1,20}})?")
_BARE = tuple(
    (re.compile(pattern + r"(?!\w|-\d)"), rule)
    for pattern, rule in (
        (rf"(?P<which>)?(?P<part>)?{_MONTH}(?P<year>)?", _month),
        (rf"(?P<which>)?{_WEEKDAY}", _weekday),
        (_YEAR, _year),
    )
)


@dataclass(frozen=True, slots=True)
class _Found:
    begin: int
    stop: int
    start: datetime
    end: datetime
    relative: bool


def _expressions(text: str, now: datetime) -> list[_Found]:
    """All expressions of past time in a lower-case text, most specific first, without overlaps."""
    found: list[_Found] = []
    for pattern, rule, relative in _RULES:
        for match in pattern.finditer(text):
            begin, stop = match.span()
            if any(begin < other.stop and other.begin < stop for other in found):
                continue
            if _NOT_MEANT.search(_before(text, begin)):
                continue
            span = _span(rule, match, now)
            if span is not None:
                found.append(_Found(begin, stop, *span, relative))
                if len(found) == MAX_EXPRESSIONS:
                    return found
    return found


def _before(text: str, begin: int) -> str:
    return text[max(0, begin - _BEFORE) : begin]


def _span(rule: _Rule, match: re.Match[str], now: datetime) -> Span | None:
    try:
        span = rule(match, now)
    except (ValueError, OverflowError):  # beyond the calendar: "999 years ago" in the year 500
        return None
    return span if span is not None and _meant(*span, now) else None


def _meant(start: datetime, end: datetime, now: datetime) -> bool:
    # Times of one zone are compared by the clock, which shows an hour twice when it is set back.
    begun = start.timestamp()
    return start.year >= EARLIEST and begun <= now.timestamp() and begun < end.timestamp()


def _joined(text: str, first: _Found, found: list[_Found], now: datetime) -> Span | None:
    """The range from one expression to another joined to it by "and" or "to"; None if there is none."""
    join = _JOINED.match(text, first.stop)
    if join is None:
        return None
    second = next(((other.start, other.end) for other in found if other.begin == join.end()), None)
    if second is None:
        bare = next(((m, rule) for pattern, rule in _BARE if (m := pattern.match(text, join.end()))), None)
        second = _span(bare[1], bare[0], now) if bare else None
    if second is None:
        return None
    start = first.start
    if start > second[0] and first.relative:  # "today to 2023-06-01": backwards
        start, second = second[0], (second[0], max(first.end, second[1]))
    elif start > second[0]:  # "from 11 August to 15 August 2021": the first has the second's year
        start = _months_on(start, 12 * (second[0].year - start.year))
        if start > second[0]:
            start = _months_on(start, -12)
    return (start, second[1]) if _meant(start, second[1], now) else None


#: Words allowed around a time expression in a text that names only a time: "everything that I told you since …".
_AROUND = re.compile(
    r"everything|all|anything|what|that|which|i|we|you|told|said|have|has|was|were|been|learn(?:ed|t)|remember(?:ed)?"
    r"|know|about|me|my|from|since|after|starting|on|in|of|during|the|and|to|until|till|through|between"
)
_WORDS = re.compile(r"\w+")


def alone(text: str, now: datetime) -> TimeWindow | None:
    """The range of a text that names only a time range ("since Monday", "all from last week"), else None."""
    if len(text) > LONGEST:
        return None
    low = _lower(text)
    found = _expressions(low, now)
    kept, at = [], 0
    for expression in sorted(found, key=lambda expression: expression.begin):
        kept.append(low[at : expression.begin])
        at = expression.stop
    rest = " ".join([*kept, low[at:]])
    others = [word for word in _WORDS.findall(rest) if not _AROUND.fullmatch(word)]
    return find(text, now) if found and not others else None


def _lower(text: str) -> str:
    """Lower-case letter by letter, to preserve positions: lower-case "İ" has two characters."""
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)


def find(query: str, now: datetime) -> TimeWindow | None:
    """The range of past time that a question refers to; None if it refers to none.

    Two dates joined by "and" or "to" are the range between them, "since" reaches up to now; otherwise the most specific
    expression counts. A date without a year is its last occurrence. The future is None: nothing was learned there yet.
    `now` should be in the asker's time zone.
    """
    text = _lower(query[:LONGEST])
    found = _expressions(text, now)
    if not found:
        return None
    start, end = found[0].start, found[0].end
    for expression in found:
        if span := _joined(text, expression, found, now):
            start, end = span
            break
    else:
        opening = _before(text, found[0].begin), text[found[0].begin : found[0].stop]
        if _OPEN.search(opening[0]) or opening[1].startswith(("since", "after")):
            end = max(end, now, key=datetime.timestamp)
    kept, at = [], 0
    for begin, stop in sorted((expression.begin, expression.stop) for expression in found if expression.relative):
        kept.append(query[at:begin])
        at = stop
    return TimeWindow(start, end, one_line("".join([*kept, query[at:]])))
