"""Who was ever invited, by id: names and addresses stay in the store, sealed."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, MetaData, String, Table

STAFF_NAME: Final = "portal-staff-v1"
"""The projection that writes the table; another shape gets another name."""

STAFF: Final = Table(
    "portal_staff",
    MetaData(),
    Column("staff_id", String(32), primary_key=True),
    Column("position", BigInteger, nullable=False),  # of the invitation
)
