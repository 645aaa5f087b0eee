"""Starting and stopping the real process: what it refuses, and how it leaves."""

from __future__ import annotations

import hashlib
import re
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.compose import create_data, opened
from shared.rebuild import head_of
from shared.settings import Settings
from tests.faults.process import Job, Process, until
from tests.journeys.post import Post, listening
from tests.ports import a_quiet_port
from tests.systems import demo_settings
from tests.waiting import LONG

OFFSETS: Final = (0, 1, 2, 25)  # of the ports that it takes, from the port base
MOST_MEMORY: Final = 250  # MiB resident after the main job
RUNNING: Final = "Stop with Ctrl+C."

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings of an organisation that exists and is empty."""
    settings = replace(demo_settings(tmp_path), smtp_port=a_quiet_port())
    create_data(settings.folder)
    return settings


@pytest.fixture
def process(settings: Settings) -> Iterator[Process]:
    process = Process(settings, demo=False)
    yield process
    process.close()


def picture_of(folder: Path) -> dict[str, str]:
    """Return every file below `folder` with the digest of its content."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def assert_refused(process: Process, *words: str) -> None:
    """Check that it ended by itself with one plain sentence and a hint."""
    assert process.ended() == 2
    assert process.told == ""
    lines = process.complaints.splitlines()
    assert lines[0].startswith("letterlock: ")
    assert len(lines) <= 2, process.complaints
    assert all(line.startswith("  ") for line in lines[1:])
    told = process.complaints.casefold()
    assert all(word.casefold() in told for word in words), process.complaints
    assert "Traceback" not in process.complaints
    ports = (process.settings.portal_port, process.settings.viewer_port)
    assert not any(is_served(port) for port in ports)


def is_served(port: int) -> bool:
    """Say whether somebody listens on a port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """Something that others can read, and the word that must be said of it."""

    path: str
    mode: int
    word: str


@pytest.mark.parametrize(
    "exposed",
    [
        Exposed(path="keys/kek-1", mode=0o444, word="kek-1"),
        Exposed(path="keys", mode=0o755, word="keys"),
        Exposed(path=".", mode=0o755, word="data"),
        Exposed(path=".", mode=0o750, word="data"),
    ],
    ids=lambda exposed: f"{exposed.path}-{exposed.mode:o}",
)
def test_what_others_can_read_is_not_started_with(
    process: Process, settings: Settings, exposed: Exposed
) -> None:
    (settings.data / exposed.path).chmod(exposed.mode)
    before = picture_of(settings.data)
    process.spawn()
    assert_refused(process, exposed.word, "chmod")
    assert picture_of(settings.data) == before
    (settings.data / exposed.path).chmod(0o700)
    with opened(settings) as core:  # as the hint said
        assert head_of(core.store) == 0


def test_a_taken_port_is_told_and_leaves_the_folder_usable(process: Process) -> None:
    base = process.settings.port_base
    process.settings = replace(process.settings, smtp_port=base + 25)
    for offset in OFFSETS:
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", base + offset))
            other.listen()
            process.spawn()
            assert process.ended() == 2
        told = process.last_complaint
        one = r"letterlock: a port is taken.*\n  .*port.*\n"
        assert re.fullmatch(one, told), told
        assert not any(is_served(base + port) for port in OFFSETS)
    process.start()
    assert process.stop()[0] == 0


def test_a_second_process_on_a_folder_is_kept_out(
    process: Process, settings: Settings, tmp_path: Path
) -> None:
    process.start()
    (tmp_path / "second").mkdir()
    second = Process(
        replace(settings, port_base=settings.port_base + 5),
        demo=False,
        prints=tmp_path / "second",
    )
    try:
        second.spawn()
        assert_refused(second, "another process")
    finally:
        second.close()
    assert page_of(settings).status_code == 200
    assert process.stop()[0] == 0


def test_it_does_not_listen_beyond_this_machine_without_a_certificate(
    tmp_path: Path,
) -> None:
    settings = demo_settings(tmp_path)
    process = Process(settings)
    process.spawn(LETTERLOCK_HOST="0.0.0.0")  # noqa: S104  # is refused
    assert_refused(process, "LETTERLOCK_HOST", "certificate")
    assert not settings.data.exists()


def test_it_does_not_start_with_a_private_key_that_anyone_can_read(
    process: Process, tmp_path: Path
) -> None:
    certificate, key = a_certificate(tmp_path)
    key.chmod(0o644)
    process.spawn(
        LETTERLOCK_CERTIFICATE_FILE=str(certificate),
        LETTERLOCK_PRIVATE_KEY_FILE=str(key),
    )
    assert_refused(process, "LETTERLOCK_PRIVATE_KEY_FILE", "read")


def test_with_a_certificate_it_speaks_tls_alone_and_says_so_for_a_year(
    process: Process, settings: Settings, tmp_path: Path
) -> None:
    certificate, key = a_certificate(tmp_path)
    process.start(
        LETTERLOCK_CERTIFICATE_FILE=str(certificate),
        LETTERLOCK_PRIVATE_KEY_FILE=str(key),
    )
    for address in (
        f"https://127.0.0.1:{settings.portal_port}/sign-in",
        f"https://localhost:{settings.viewer_port}/",
    ):
        page = requests.get(address, verify=str(certificate), timeout=LONG)
        assert page.status_code == 200
        told = page.headers["Strict-Transport-Security"]
        found = re.search(r"max-age=(\d+)", told)
        assert found
        assert int(found.group(1)) >= 31_536_000
        assert "includeSubDomains" in told
    assert not is_plain_served(settings)
    assert process.stop()[0] == 0
    assert "Traceback" not in process.complaints


def is_plain_served(settings: Settings) -> bool:
    """Say whether the portal answers a page to plain HTTP."""
    try:
        return page_of(settings).ok
    except requests.ConnectionError:
        return False


def page_of(settings: Settings) -> requests.Response:
    """Load the portal's first page."""
    address = f"http://127.0.0.1:{settings.portal_port}/sign-in"
    return requests.get(address, timeout=LONG)


def a_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a throw-away certificate for this machine and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    secret.chmod(0o600)
    return certificate, secret


def test_the_main_job_needs_little_memory_and_a_stop_is_graceful(
    tmp_path: Path,
) -> None:
    settings = replace(demo_settings(tmp_path), smtp_port=a_quiet_port())
    post, process = Post(), Process(settings)
    job = Job(process, post, alive=process.alive)
    with listening(post, settings.smtp_port):
        try:
            began = time.monotonic()
            process.spawn()
            until(
                lambda: is_served(settings.portal_port) and page_of(settings).ok,
                "the first page",
                alive=process.alive,
            )
            first_page = time.monotonic() - began
            until(lambda: RUNNING in process.told, "the start", alive=process.alive)
            job.go()
            memory = resident(process.pid)
            status, seconds = process.stop()
        finally:
            job.close()
            process.close()
    sys.stdout.write(
        f"first page after {first_page:.1f} s with a new demo, stop {seconds:.1f} s,"
        f" {memory:.0f} MiB resident after the main job\n"
    )
    assert status == 0
    assert process.complaints == ""
    assert memory < MOST_MEMORY


def resident(pid: int) -> float:
    """Return the resident memory of a process, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found.group(1)) / 1024
