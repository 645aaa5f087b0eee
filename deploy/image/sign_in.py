"""Makes a one-time sign-in link for somebody who cannot get in.

    sign_in.py ada@example.org    in a container of the portal's site

Hand it over by a way that you trust: whoever opens it first is that person.
"""

from __future__ import annotations

import os
import sys

from services.compose import Apis
from services.processes import asking
from services.verbs import sign_in_link
from services.verbs_data import staff_by_email
from shared.errors import DomainError, Fault
from shared.settings import Settings, SettingsError


def link_for(apis: Apis, settings: Settings, email: str) -> str:
    """Return a new link for the member of staff with this address.

    Raises:
        StaffUnknown: nobody has it.
        DomainError: that person may not sign in.
    """
    return sign_in_link(apis, settings, staff_by_email(apis, email).staff_id)


def main(words: list[str]) -> int:
    """Make and print the link; exit 1 if refused, 2 on a fault."""
    if len(words) != 1:
        sys.stderr.write(__doc__ or "")
        return 2
    try:
        settings = Settings.from_env(os.environ)
        with asking(settings) as apis:
            link = link_for(apis, settings, words[0])
    except DomainError as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    except (Fault, SettingsError) as fault:
        sys.stderr.write(f"{type(fault).__name__}: {fault}\n")
        return 2
    sys.stdout.write(f"{link}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
