"""The operations about members of staff.

`registry` holds the streams, `links` the secrets of one-time links, `staff` the
operations themselves.
"""

from __future__ import annotations

from services.portal.handlers.staff import StaffHandlers

__all__ = ["StaffHandlers"]
