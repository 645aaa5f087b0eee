"""What the command prints, to people and to programs."""

from __future__ import annotations

import json

import pytest

from services.__main__ import main
from services.console import Console


def test_a_result_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(json=True)
    console.say("not for programs")
    console.result("words", {"envelope": "e1"})
    assert json.loads(capsys.readouterr().out) == {"envelope": "e1"}


def test_an_error_is_one_line_and_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert Console().fail("the port is taken", "Choose another.", 2) == 2
    assert capsys.readouterr().err.splitlines() == [
        "letterlock: the port is taken",
        "  Choose another.",
    ]


@pytest.mark.parametrize("verb", ["run", "events", "rebuild"])
def test_without_data_every_verb_says_how_to_begin(
    verb: str, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, "--data", f"{tmp_path}/none"]) == 2
    told = capsys.readouterr().err
    assert "letterlock init" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("before", [True, False])
def test_a_common_flag_may_stand_before_or_after_the_verb(
    *, before: bool, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    flags, words = ["--json", "--data", f"{tmp_path}/none"], ["events", "--limit", "5"]
    assert main([*flags, *words] if before else [*words, *flags]) == 2
    told = json.loads(capsys.readouterr().err)
    assert f"{tmp_path}/none" in told["error"]
