"""A store over TLS with credentials, and the settings of whoever may use it."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final

from tests.kurrent.authority import Authority
from tests.kurrent.server import StandIn

LOGIN: Final = "letterlock:p@ss:w/rd%"


def a_guarded_store() -> tuple[StandIn, bytes]:
    """Start a store; return it and the root its certificate descends from (PEM)."""
    authority = Authority()
    return StandIn(certificate=authority.certificate(), login=LOGIN), authority.root


def way_to(port: int, root: bytes, folder: Path) -> dict[str, str]:
    """Write what is needed into `folder`; return the settings for a store at `port`."""
    ca, account = folder / "ca.pem", folder / "account"
    ca.write_bytes(root)
    account.touch(mode=stat.S_IRUSR | stat.S_IWUSR)
    account.write_text(f"{LOGIN}\n")
    return {
        "LETTERLOCK_STORE_URI": f"kurrentdb://localhost:{port}?tls=true",
        "LETTERLOCK_STORE_CA_FILE": str(ca),
        "LETTERLOCK_STORE_ACCOUNT_FILE": str(account),
    }
