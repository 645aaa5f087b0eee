"""Makes a one-time sign-in link for somebody who cannot get in.

    sign_in.py ada@example.org    in a container of the portal's site

Hand it over by a way that you trust: whoever opens it first is that person.
"""

from __future__ import annotations

import os
import sys

from services.compose import Apis, portal_url
from services.portal.commands import ListStaff, MakeSignInLink
from services.portal.errors import StaffUnknown
from services.processes import asking
from shared.context import service_context
from shared.errors import DomainError, Fault
from shared.settings import Settings, SettingsError


def secret_for(apis: Apis, email: str) -> str:
    """Return the secret of a new link for the member of staff with this address.

    Raises:
        StaffUnknown: nobody has it.
        DomainError: that person may not sign in.
    """
    context = service_context("operator")
    for card in apis.staff.all_staff(ListStaff(), context):
        if card.email.casefold() == email.casefold():
            wanted = MakeSignInLink(staff_id=card.staff_id)
            return apis.staff.make_sign_in_link(wanted, context).ref
    raise StaffUnknown


def main(words: list[str]) -> int:
    """Make and print the link; exit 1 if refused, 2 on a fault."""
    if len(words) != 1:
        sys.stderr.write(__doc__ or "")
        return 2
    try:
        settings = Settings.from_env(os.environ)
        with asking(settings) as apis:
            secret = secret_for(apis, words[0])
    except DomainError as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    except (Fault, SettingsError) as fault:
        sys.stderr.write(f"{type(fault).__name__}: {fault}\n")
        return 2
    sys.stdout.write(f"{portal_url(settings)}/sign-in/link/{secret}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
