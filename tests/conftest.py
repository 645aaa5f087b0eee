"""How far properties are searched, a little or in full; and the one browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_SLOW_MACHINE = [HealthCheck.too_slow, HealthCheck.data_too_large]
os.environ["AIOSMTPD_CONTROLLER_TIMEOUT"] = "60"  # s until a mailbox listens

settings.register_profile(
    "quick", max_examples=15, deadline=None, derandomize=True,
    suppress_health_check=_SLOW_MACHINE,
)  # fmt: skip
settings.register_profile(
    "test", max_examples=60, deadline=None, derandomize=True,
    suppress_health_check=_SLOW_MACHINE,
)  # fmt: skip
settings.register_profile(
    "full", max_examples=3000, deadline=None, suppress_health_check=_SLOW_MACHINE
)
settings.load_profile(os.environ.get("LETTERLOCK_EXAMPLES", "test"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium for all browser tests of a worker: one driver to a process."""
    from tests.browser.windows import a_browser  # noqa: PLC0415 - most need none

    with a_browser() as started:
        yield started
