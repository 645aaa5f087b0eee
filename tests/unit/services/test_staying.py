"""Whoever waits to be interrupted notices it, whichever thread the signal reaches."""

from __future__ import annotations

import subprocess
import sys

from tests.waiting import LONG

ELSEWHERE = """
import signal, threading, time
from services.__main__ import _as_interrupt
from services.verbs import stay

def interrupt():
    time.sleep(0.2)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    time.sleep(600)

signal.signal(signal.SIGTERM, _as_interrupt)
threading.Thread(target=interrupt, daemon=True).start()
try:
    stay()
except KeyboardInterrupt:
    print("told")
"""


def test_a_signal_to_another_thread_is_noticed() -> None:
    told = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        capture_output=True, text=True, check=False, timeout=LONG,
    )  # fmt: skip
    assert (told.stdout, told.returncode) == ("told\n", 0)
