"""What a start says when something is not fit for it: one true line, and no harm."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from services.__main__ import main
from services.brokerage import create_accounts, prove_pairs
from services.compose import create_data
from services.console import explain
from services.ground import SERVICES
from shared.crypto.kek import KeyFileUnsafe, KeyMissing
from shared.errors import Fault
from shared.eventstore.port import CorruptRecord
from shared.settings import Settings, SettingsError
from tests.waiting import LONG

ROOT = Path(__file__).parents[3]
WHO = ["--admin", "Ms Ada Quill", "--email", "ada@example.org"]
Harm = Callable[[Path], object]


@pytest.fixture
def data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return the folder of an organisation with one administrator."""
    folder = tmp_path / "data"
    assert main(["init", *WHO, "--data", str(folder)]) == 0
    create_accounts(settings_of(folder))
    capsys.readouterr()
    return folder


def settings_of(data: Path) -> Settings:
    return Settings.from_env({"LETTERLOCK_DATA": str(data)})


def files_of(folder: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def exchange(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(secrets.token_bytes(32))
    path.chmod(0o400)


def lose(path: Path) -> None:
    path.unlink()


def junk(path: Path) -> None:
    for one in path.parent.glob(f"{path.name}*"):
        one.unlink()
    path.write_bytes(b"no database" * 999)
    path.chmod(0o600)


def without_kek(data: Path) -> None:
    lose(data / "keys" / "kek-1")


def without_keys(data: Path) -> None:
    shutil.rmtree(data / "keys")


def kek_exchanged(data: Path) -> None:
    exchange(data / "keys" / "kek-1")


@pytest.mark.parametrize("harm", [without_kek, without_keys])
@pytest.mark.parametrize(
    "words",
    [
        ["init", *WHO],
        ["run"],
        ["run", "--demo"],
        ["run-distributed"],
        ["sign-in", "ada@example.org"],
        ["events"],
        ["rebuild"],
        ["broker-setup"],
    ],
    ids=" ".join,
)
def test_no_verb_makes_a_new_key_over_what_a_lost_one_sealed(
    data: Path, capsys: pytest.CaptureFixture[str], harm: Harm, words: list[str]
) -> None:
    harm(data)
    before = files_of(data)
    assert main([*words, "--data", str(data)]) == 2
    told = capsys.readouterr().err
    assert "put it back from the key backup" in told
    assert "letterlock init" not in told
    assert len(told.splitlines()) == 1
    assert files_of(data) == before


def test_an_interrupted_init_is_taken_up_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    create_data(settings_of(data).folder)
    lose(data / "keys" / "kek-1")  # of the two the list of the erased is made first
    assert main(["init", *WHO, "--data", str(data)]) == 0


@pytest.mark.parametrize("words", [["run"], ["rebuild"], ["run-distributed"]])
def test_an_exchanged_key_is_told_before_anything_runs(
    data: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    kek_exchanged(data)
    assert main([*words, "--data", str(data)]) == 2
    told = capsys.readouterr().err
    assert "kek-1 does not open what" in told
    assert "Traceback" not in told


def test_lists_that_are_no_database_are_told_with_what_to_do(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = data / "read" / "crm.db"
    junk(path)
    assert main(["rebuild", "--data", str(data)]) == 2
    assert f"remove {path}*" in capsys.readouterr().err
    for one in path.parent.glob("crm.db*"):
        one.unlink()
    assert main(["rebuild", "--data", str(data)]) == 0  # as it said


def password_lost(data: Path) -> None:
    lose(data / "keys" / "broker" / "crm")


def password_open_to_all(data: Path) -> None:
    (data / "keys" / "broker" / "crm").chmod(0o644)


def password_of_no_text(data: Path) -> None:
    exchange(data / "keys" / "broker" / "crm")
    path = data / "keys" / "broker" / "crm"
    path.chmod(0o600)
    path.write_bytes(b"\xff\xfe")


def pair_lost(data: Path) -> None:
    lose(data / "keys" / "pairs" / "portal.crm")


def erased_lost(data: Path) -> None:
    lose(data / "tombstones.log")


def store_junk(data: Path) -> None:
    junk(data / "store.db")


def unharmed(data: Path) -> None:
    assert data.exists()


@pytest.mark.integration
@pytest.mark.parametrize(
    ("harm", "service", "word"),
    [
        (password_lost, "crm", "broker/crm is not there"),
        (password_open_to_all, "crm", "chmod go-rwx"),
        (password_of_no_text, "crm", "broker/crm does not hold a password"),
        (pair_lost, "crm", "portal.crm is not there"),
        (erased_lost, "crm", "tombstones.log is not there"),
        (store_junk, "crm", "store.db: file is not a database"),
        (without_kek, "crm", "put it back from the key backup"),
        (kek_exchanged, "portal", "kek-1 does not open what"),
        (unharmed, "nobody", "there are: crm, letters, envelope, audit, portal"),
    ],
)
def test_a_process_that_answers_says_in_one_line_why_it_does_not_start(
    data: Path, harm: Harm, service: str, word: str
) -> None:
    harm(data)
    done = subprocess.run(  # it becomes another program, so not in here
        [sys.executable, "-m", "services", "rpc", service, "--data", str(data)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=LONG,
    )
    assert done.returncode == 2
    assert word in done.stderr
    assert done.stderr.startswith("letterlock: ")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.parametrize(
    ("words", "pair"),
    [
        (["web", "portal"], "portal.letters"),
        (["web", "viewer"], "viewer.envelope"),
        (["work", "crm", "envelope"], "envelope.audit"),
    ],
)
def test_a_process_without_the_key_of_a_conversation_does_not_start(
    data: Path, capsys: pytest.CaptureFixture[str], words: list[str], pair: str
) -> None:
    lose(data / "keys" / "pairs" / pair)
    assert main([*words, "--data", str(data)]) == 2
    assert f"{pair} is not there" in capsys.readouterr().err


def test_a_process_needs_the_keys_of_its_own_conversations_alone(data: Path) -> None:
    folder = data / "keys" / "pairs"
    for path in folder.iterdir():
        if path.name not in {"portal.portal", "viewer.envelope"}:
            lose(path)
    settings = settings_of(data)
    prove_pairs(settings, answers="portal")  # its pages ask from elsewhere
    prove_pairs(settings, asks="viewer")
    prove_pairs(settings, asks="crm")
    for service in set(SERVICES) - {"portal"}:
        with pytest.raises(KeyMissing, match="is not there"):
            prove_pairs(settings, answers=service)
    exchange(folder / "viewer.envelope")
    (folder / "viewer.envelope").chmod(0o644)
    with pytest.raises(KeyFileUnsafe):
        prove_pairs(settings, asks="viewer")


def test_the_definitions_reach_rabbitmqctl_whoever_it_runs_as(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    stand_in = tools / "rabbitmqctl"
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    stand_in.write_text(f'#!/bin/sh\necho "$@" > {tools}/words\ncat > {tools}/took\n')
    stand_in.chmod(0o755)
    words = ["broker-setup", "--apply", "--json", "--data", str(data)]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert (tools / "words").read_text() == "import_definitions\n"
    assert (tools / "took").read_bytes() == Path(told["definitions"]).read_bytes()
    stand_in.write_text("#!/bin/sh\nexit 64\n")
    assert main(words) == 2
    assert "could not load" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(words) == 2
    assert "rabbitmqctl import_definitions < " in capsys.readouterr().err


def test_the_last_facts_are_told_oldest_first(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*words: str) -> list[int]:
        assert main(["events", *words, "--json", "--data", str(data)]) == 0
        found = json.loads(capsys.readouterr().out)["events"]
        return [row["position"] for row in found]

    for number in range(4):
        assert main(["sign-in", "ada@example.org", "--data", str(data)]) == 0, number
    capsys.readouterr()
    every = told()
    assert len(every) > 4
    assert told("--last", "3") == every[-3:]
    assert told("--last", "999") == every
    assert told("--last", "3", "--after", str(every[-2])) == every[-1:]
    assert told("--last", "3", "--after", str(every[-1])) == []


def test_an_error_of_the_system_names_its_file() -> None:
    what, hint = explain(PermissionError(errno.EACCES, "Permission denied", "a/b.db"))
    assert what == "a/b.db: Permission denied"
    assert "user" in hint
    what, hint = explain(OSError(errno.ENOSPC, "No space left on device", "a/b.db"))
    assert what == "a/b.db: No space left on device"
    assert "disk" in hint
    assert (
        explain(ConnectionRefusedError(errno.ECONNREFUSED, "Refused"))[0] == "Refused"
    )


def test_trying_again_is_not_advised_where_it_cannot_help() -> None:
    for error in (
        CorruptRecord("crm.db: key 1 is not what was written"),
        KeyMissing("kek-1 is not there; restore it from the key backup"),
        SettingsError("data is open to other users; run: chmod go-rwx data"),
    ):
        what, hint = explain(error)
        assert what == str(error)
        assert "try again" not in hint
    assert "try again" in explain(Fault("the store does not answer"))[1]
