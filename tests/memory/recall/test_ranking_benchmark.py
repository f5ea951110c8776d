"""The recall benchmark, on a conversation of our own."""

import json
from pathlib import Path

import pytest

from tests.benchmarks import recall

SESSIONS = {
    "session_1_date_time": "4:04 pm on 20 January, 2023",
    "session_1": [
        {"speaker": "Ada", "dia_id": "D1:1", "text": "I have found a kitten behind the bakery!"},
        {"speaker": "Bo", "dia_id": "D1:2", "text": "What will you call it?"},
        {"speaker": "Ada", "dia_id": "D1:3", "text": "Pepper, after my grandmother's kitchen."},
    ],
    "session_2_date_time": "9:30 am on 2 March, 2023",
    "session_2": [{"speaker": "Bo", "dia_id": "D2:1", "text": "My train to Ghent was three hours late."}],
    "qa": [
        {"question": "Where was the kitten found?", "answer": "bakery", "evidence": ["D1:1"], "category": 4},
        {"question": "When was the train late?", "answer": "2 March", "evidence": ["D2:1; D9:9"], "category": 2},
        {"question": "Who flew to the moon?", "answer": "", "evidence": ["D1:1"], "category": 5},
        {"question": "What is beyond?", "answer": "", "evidence": [], "category": 1},
    ],
}


def test_without_data_it_says_where_to_get_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Neither a missing nor an empty folder is measured: the sentence names the source, and the exit code is 2."""
    assert recall.main([]) == 2
    assert recall.main(["--data", str(tmp_path)]) == 2
    assert recall.main(["--data", str(tmp_path / "nowhere")]) == 2
    assert "snap-research/locomo" in capsys.readouterr().err


def test_questions_without_evidence_are_not_asked(tmp_path: Path) -> None:
    """Adversarial questions and those whose evidence names no turn are left out; evidence is found by its turn."""
    (tmp_path / "1.json").write_text(json.dumps(SESSIONS), encoding="utf-8")
    (conversation,) = recall.load(tmp_path)
    assert [(question.category, question.evidence) for question in conversation.questions] == [
        (4, frozenset({0})),
        (2, frozenset({3})),
    ]
    assert conversation.told[2] == "Ada: Pepper, after my grandmother's kitchen."


def test_the_table_holds_every_method(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Where all turns fit the budget, our rows find all the evidence; the published file's form is read too."""
    talk = {key: value for key, value in SESSIONS.items() if key != "qa"}
    published = [{"conversation": talk, "qa": SESSIONS["qa"]}]
    (tmp_path / "locomo10.json").write_text(json.dumps(published), encoding="utf-8")
    assert recall.main(["--data", str(tmp_path)]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ours")]
    assert len(rows) >= 6
    assert all(row[5] == "1.000" for row in rows)
