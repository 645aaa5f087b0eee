"""How far properties are searched: a little, as a rule, or in full."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_SLOW_MACHINE = [HealthCheck.too_slow, HealthCheck.data_too_large]

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
