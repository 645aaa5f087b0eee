"""Why the evidence service says no."""

from __future__ import annotations

from shared.errors import NotFound


class TrailUnknown(NotFound):
    """There is no evidence under this id."""

    code = "trail_unknown"
