"""Messages that say by themselves that they are off the record."""

import pytest

from bot.text.off_record import asks


@pytest.mark.parametrize(
    "text",
    [
        "Off the record: I am looking for a new job.",
        "off the record, my boss is leaving",
        "This is off the record. I quit.",
        "OK, off-the-record I think it's too late",
        "*Off the record* — I quit",
        "Don't remember this: my locker is 4711.",
        "don’t remember this",
        "Please don't save this, I'm pregnant.",
        "hey, do not memorise this - I quit",
        "Never store any of this.\nI quit",
        "don't remember this but I quit",
        "Merk dir das nicht: ich habe gekündigt.",
        "Bitte nicht merken, ich habe gekündigt",
        "Ne retiens pas ça : je suis enceinte",
        "No recuerdes esto: dejo el trabajo",
        "Não guardes isto: estou grávida",
        "Não te lembres disto, por favor",
        "Non ricordare questo: mi licenzio",
        "Onthoud dit niet: ik neem ontslag",
        "Nie zapamiętuj tego: odchodzę",
        "Не запоминай это: я увольняюсь",
        "これは覚えないで。仕事を辞めます",
        "不要记住这个：我要辞职",
        "기억하지 마: 나 그만둬",
    ],
)
def test_it_is_off_the_record(text: str) -> None:
    """Its first words say so, in one of a few languages."""
    assert asks(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "Remember this: my locker is 4711.",
        "Don't forget this: my locker is 4711.",
        "I don't remember this",
        "Don't remember this song, how does it go?",
        "Do not keep this from me",
        "What does off the record mean?",
        "She told me that off the record.",
        "x" * 300 + " off the record",
        "Nicht merkenswert",
        "No recuerdes estos años",
        "recording off",
    ],
)
def test_it_is_not(text: str) -> None:
    """What is said later in it, or of something else, is the model's to understand."""
    assert not asks(text)
