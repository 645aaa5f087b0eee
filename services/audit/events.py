"""Facts of the evidence service itself. Append-only file."""

from __future__ import annotations
