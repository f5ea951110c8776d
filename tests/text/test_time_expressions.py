"""What stretch of time a question speaks of."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.text.time_expressions import LONGEST, alone, find

NOW = datetime(2023, 6, 14, 15, 30, tzinfo=UTC)  # a Wednesday


def days(query: str, now: datetime = NOW) -> tuple[str, str] | None:
    """The first and the last day meant."""
    window = find(query, now)
    if window is None:
        return None
    return f"{window.start:%Y-%m-%d}", f"{window.end - timedelta(seconds=1):%Y-%m-%d}"


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("What did I say yesterday?", "2023-06-13", "2023-06-13"),
        ("what was it the day before yesterday", "2023-06-12", "2023-06-12"),
        ("What have I eaten today?", "2023-06-14", "2023-06-14"),
        ("where was I last night", "2023-06-13", "2023-06-14"),
        ("What did I say last week?", "2023-06-04", "2023-06-11"),
        ("WHAT DID I TELL YOU LAST WEEK", "2023-06-04", "2023-06-11"),
        ("my plans this week", "2023-06-12", "2023-06-18"),
        ("what happened last weekend", "2023-06-10", "2023-06-11"),
        ("who did I meet last month", "2023-05-01", "2023-05-31"),
        ("what did I read last year", "2022-01-01", "2022-12-31"),
        ("what did I tell you 3 days ago", "2023-06-11", "2023-06-11"),
        ("and two weeks ago?", "2023-05-29", "2023-06-04"),
        ("a couple of weeks ago", "2023-05-24", "2023-06-07"),
        ("a few days ago", "2023-06-09", "2023-06-13"),
        ("in the last three days", "2023-06-11", "2023-06-14"),
        ("over the past month", "2023-05-14", "2023-06-14"),
        ("what did I do on Monday", "2023-06-12", "2023-06-12"),
        ("what did I do last Wednesday", "2023-06-07", "2023-06-07"),
        ("everything since Monday", "2023-06-12", "2023-06-14"),
        ("What did I do in May?", "2023-05-01", "2023-05-31"),
        ("What did I do in May 2022?", "2022-05-01", "2022-05-31"),
        ("was it May 2022", "2022-05-01", "2022-05-31"),
        ("what did I buy in July", "2022-07-01", "2022-07-31"),
        ("in early May", "2023-05-01", "2023-05-10"),
        ("late Sept 2022", "2022-09-21", "2022-09-30"),
        ("Where was I on 7 May?", "2023-05-07", "2023-05-07"),
        ("Where was I on May 7th, 2021?", "2021-05-07", "2021-05-07"),
        ("on the 7th of May 2021", "2021-05-07", "2021-05-07"),
        ("on 24 December", "2022-12-24", "2022-12-24"),
        ("on 2023-05-07", "2023-05-07", "2023-05-07"),
        ("on 5/7/2023", "2023-05-07", "2023-05-07"),
        ("on 25/12/2022", "2022-12-25", "2022-12-25"),
        ("am 7.5.2023", "2023-05-07", "2023-05-07"),
        ("in 2021", "2021-01-01", "2021-12-31"),
        ("last summer", "2022-06-01", "2022-08-31"),
        ("in winter 2021", "2021-12-01", "2022-02-28"),
        ("between 3 May and 5 June 2023", "2023-05-03", "2023-06-05"),
        ("from March to May", "2023-03-01", "2023-05-31"),
        ("between August 11 and August 15, 2021", "2021-08-11", "2021-08-15"),
        ("since March 2022", "2022-03-01", "2023-06-14"),
        ("today to 0001-01-01", "2023-06-14", "2023-06-14"),
        ("from yesterday to 2023-06-01", "2023-06-01", "2023-06-13"),
        ("from 24 December to 3 May 2023", "2022-12-24", "2023-05-03"),
    ],
)
def test_times(query: str, first: str, last: str) -> None:
    """Each way to name a time means these days."""
    assert days(query) == (first, last)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "What's my dog called?",
        "May I ask you something?",
        "You may march on",
        "What are my plans for next week?",
        "and next Monday",
        "Tom and June went home",
        "What does April like?",
        "What do I do on Sundays?",
        "Call me in 10 minutes",
        "on 31 April",
        "What did I say before 7 May?",
        "in 2090",
        "version 1.2.3",
        "the last one",
        "on 0001-01-01",
        "999 years ago",
        "on 9999-12-31",
        "in 1850",
    ],
)
def test_no_time(query: str) -> None:
    """What names no stretch of the past is None."""
    assert find(query, NOW) is None


def test_words_of_the_moment_are_left_out_and_dates_stay() -> None:
    """A memory's own "last week" is another week, but a date that it names is the date."""
    relative, dated = find("What did I say about Rex last week?", NOW), find("What was on 7 May?", NOW)
    assert relative is not None
    assert relative.rest == "What did I say about Rex ?"
    assert dated is not None
    assert dated.rest == "What was on 7 May?"


def test_days_are_the_askers_own() -> None:
    """Yesterday begins at midnight in the time zone of the one who asks."""
    now = datetime(2023, 6, 14, 0, 30, tzinfo=ZoneInfo("Asia/Tokyo"))
    window = find("yesterday", now)
    assert window is not None
    assert window.start == datetime(2023, 6, 12, 15, tzinfo=UTC)
    assert window.end == datetime(2023, 6, 13, 15, tzinfo=UTC)


NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("now", "query", "start", "end"),
    [
        # The clock is set back at 06:00 UTC: that day has 25 hours, and 01:30 comes twice.
        ("2026-11-01T23:00-05:00", "today", "2026-11-01T04:00Z", "2026-11-02T05:00Z"),
        ("2026-11-02T09:00-05:00", "yesterday", "2026-11-01T04:00Z", "2026-11-02T05:00Z"),
        ("2026-11-01T01:30-05:00", "in the last hour", "2026-11-01T05:30Z", "2026-11-01T06:30Z"),
        ("2026-11-01T01:10-05:00", "an hour ago", "2026-11-01T04:40Z", "2026-11-01T05:40Z"),
        ("2026-11-01T01:10-05:00", "the past 2 hours", "2026-11-01T04:10Z", "2026-11-01T06:10Z"),
        # It is set forward at 07:00 UTC: that day has 23 hours, and there is no 02:30.
        ("2026-03-08T12:00-04:00", "today", "2026-03-08T05:00Z", "2026-03-09T04:00Z"),
        ("2026-03-08T03:10-04:00", "an hour ago", "2026-03-08T05:40Z", "2026-03-08T06:40Z"),
        ("2026-11-27T20:30-05:00", "in march", "2026-03-01T05:00Z", "2026-04-01T04:00Z"),
    ],
)
def test_days_on_which_clocks_are_changed(now: str, query: str, start: str, end: str) -> None:
    """A day goes from midnight to midnight on the asker's clock; an hour is an hour, whatever the clock shows."""
    window = find(query, datetime.fromisoformat(now).astimezone(NEW_YORK))
    assert window is not None
    times = [datetime.fromtimestamp(at.timestamp(), UTC) for at in (window.start, window.end)]
    assert times == [datetime.fromisoformat(start), datetime.fromisoformat(end)]


def test_letters_that_grow_in_lower_case_shift_nothing() -> None:
    """The rest of a question is cut at the right places whatever letters stand before."""
    window = find("İİİstanbul last week, really", NOW)
    assert window is not None
    assert window.rest == "İİİstanbul , really"


VOCABULARY = """
last this past next week weekend month year day night 3 31 2023 0 999 2024-02-30 a few ago since between and to may
march 7th of on in early monday summer yesterday today 1/13/2023 99/99/2023 , ? rex from until winter
0001-01-01 9999-12-31 0000-00-00 1/1/0001 31.12.9999 1900 2099 february 29 ٣ ２０２３-０１-０１ february
"""


@given(
    st.lists(st.sampled_from(VOCABULARY.split()), max_size=12).map(" ".join)
    | st.tuples(
        st.dates(), st.sampled_from(["today to {}", "{} to today", "since {}", "between {} and yesterday"])
    ).map(lambda drawn: drawn[1].format(drawn[0].isoformat()))
    | st.text(max_size=80),
    st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)),
    st.sampled_from([-12, -7, 0, 9, 14]),
)
def test_any_text_is_a_stretch_of_the_past_or_none(query: str, at: datetime, hours: int) -> None:
    """Whatever is asked, on whatever day and in whatever time zone, there is no error, and a window begins before now
    and before its end, where every calendar has room for it."""
    now = at.replace(tzinfo=timezone(timedelta(hours=hours)))
    for read in (find, alone):
        window = read(query, now)
        if window is not None:
            assert window.start < window.end
            assert window.start <= now
            assert window.start.astimezone(UTC).year >= 1899
            assert datetime.fromtimestamp(window.end.timestamp(), now.tzinfo)


def test_a_long_text_is_read_at_its_beginning() -> None:
    """Times further on are not looked for, and all of the text stays."""
    assert find("x " * LONGEST + "yesterday", NOW) is None
    window = find("yesterday " + "x " * LONGEST, NOW)
    assert window is not None
    assert len(window.rest) == len("x " * LONGEST) - 1
