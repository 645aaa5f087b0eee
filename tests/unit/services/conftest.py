"""Verbs tried here know nothing of a Letterlock that runs beside the tests."""

from __future__ import annotations

import pytest

from tests.systems import worker_port_base


@pytest.fixture(autouse=True)
def _ports_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERLOCK_PORT_BASE", str(worker_port_base()))
