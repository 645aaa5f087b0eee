"""A log that somebody writes to keeps to its size, and loses what is oldest."""

from __future__ import annotations

from pathlib import Path

from shared.logfiles import keep_small

MOST = 1000


def test_a_small_log_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_bytes(b"a" * MOST)
    assert not keep_small(log, MOST)
    assert log.stat().st_size == MOST
    assert list(tmp_path.iterdir()) == [log]


def test_a_writer_goes_on_in_a_log_that_was_cut_and_the_newest_is_kept(
    tmp_path: Path,
) -> None:
    log = tmp_path / "web.log"
    lines = [f"line {number}\n" for number in range(1000)]
    with log.open("a") as writer:
        for number, line in enumerate(lines):
            writer.write(line)
            writer.flush()
            keep_small(log, MOST)
            held = sum(file.stat().st_size for file in tmp_path.iterdir())
            assert held <= 2 * MOST, number
    assert sorted(p.name for p in tmp_path.iterdir()) == ["web.log", "web.log.1"]
    kept = (tmp_path / "web.log.1").read_text() + log.read_text()
    assert "".join(lines).endswith(kept.partition("\n")[2])
    assert len(kept) > MOST // 2
