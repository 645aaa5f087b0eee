"""What the benchmarks compute from their timings; no timing is asserted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.lab import QUICK, Lab, Line, Race, Target, growth, percentile
from tests.benchmarks.report import LEFT_OUT, as_json, as_table


def a_line(size: int, ours: float, *, target: Target | None = None) -> Line:
    return Line(
        row="a row",
        size=size,
        unit="us",
        ours=ours,
        peer="the peer",
        theirs=100.0,
        ratio=100.0 / ours,
        target=target or Target(),
    )


def test_a_cost_that_stays_the_same_grows_with_exponent_nought() -> None:
    assert growth([a_line(10, 5), a_line(100, 5), a_line(1_000, 5)]) == pytest.approx(0)


def test_a_cost_that_doubles_with_the_size_grows_with_exponent_one() -> None:
    found = growth([a_line(10, 5), a_line(100, 50), a_line(1_000, 500)])

    assert found == pytest.approx(1)


def test_one_size_alone_says_nothing_about_growth() -> None:
    assert growth([a_line(10, 5), a_line(10, 6)]) is None


def test_a_share_of_all_values_does_not_exceed_the_percentile() -> None:
    values = [float(value) for value in range(1, 101)]

    assert percentile(values, 0.99) == 99
    assert percentile([7.0], 0.5) == 7


def test_speed_compares_rounds_that_ran_side_by_side() -> None:
    race = Race({"": [1.0, 10.0, 2.0], "peer": [2.0, 20.0, 40.0]})

    assert race.speed("peer") == 2.0
    assert race.line("row", 1, "peer", Target(at_least=2)).ratio == 2.0
    assert race.line("row", 1, "peer", Target(at_most=2)).ratio == 0.5


def test_every_work_of_a_race_runs_once_more_than_it_is_measured(
    tmp_path: Path,
) -> None:
    runs = {"ours": 0, "peer": 0}

    def count(name: str) -> float:
        runs[name] += 1
        return float(runs[name])

    lab = Lab(tmp_path, QUICK)
    race = lab.race(lambda: count("ours"), {"peer": lambda: count("peer")}, rounds=3)

    assert runs == {"ours": 4, "peer": 4}
    assert race.median() == 3.0


@pytest.mark.parametrize(
    ("target", "ratio", "held"),
    [
        (Target(at_least=2), 2.0, True),
        (Target(at_least=2), 1.9, False),
        (Target(at_most=1.35), 1.35, True),
        (Target(at_most=1.35), 1.4, False),
        (Target(), 0.0, True),
    ],
)
def test_a_target_holds_from_its_figure_on(
    target: Target, ratio: float, *, held: bool
) -> None:
    assert target.holds(ratio) is held


def test_a_missed_target_is_told_in_the_table_and_in_the_figures() -> None:
    missed = a_line(10, 100, target=Target(at_least=2))

    assert "MISSED" in as_table([missed])
    rows = as_json([missed, a_line(100, 100)], "quick")["rows"]
    assert [row["met"] for row in rows] == [False, None]


def test_the_report_says_what_was_not_measured() -> None:
    table = as_table([a_line(10, 5)])

    assert all(f"not measured: {each}" in table for each in LEFT_OUT)
