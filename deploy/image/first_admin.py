"""Invites the first administrator of an installation whose services run apart.

    first_admin.py "Ms Ada Quill" ada@example.org    in a container of the site

Prints a sign-in link that works once. Refuses if there is anybody yet: from then on
administrators invite each other, in the portal.
"""

from __future__ import annotations

import os
import sys

from services.compose import Apis, portal_url
from services.portal.commands import InviteStaff, ListStaff, MakeSignInLink
from services.processes import asking
from shared.context import service_context
from shared.errors import DomainError, Fault
from shared.settings import Settings, SettingsError


class NotTheFirst(Exception):
    """There are members of staff already; nobody was invited."""


def invite(apis: Apis, name: str, email: str) -> str:
    """Invite the administrator and return the secret of the sign-in link.

    Raises:
        NotTheFirst: somebody works here already.
        DomainError: name or address is refused.
    """
    context = service_context("operator")
    if apis.staff.all_staff(ListStaff(), context):
        raise NotTheFirst("somebody works here already; ask an administrator")
    wanted = InviteStaff(formal_name=name, email=email, roles=("admin",))
    staff = apis.staff.invite(wanted, context).ref
    return apis.staff.make_sign_in_link(
        MakeSignInLink(staff_id=staff), service_context("operator")
    ).ref


def main(words: list[str]) -> int:
    """Invite, and print the link; exit 1 if refused, 2 on a fault."""
    if len(words) != 2:  # noqa: PLR2004  # a name and an address
        sys.stderr.write(__doc__ or "")
        return 2
    try:
        settings = Settings.from_env(os.environ)
        with asking(settings) as apis:
            secret = invite(apis, *words)
    except (NotTheFirst, DomainError) as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    except (Fault, SettingsError) as fault:
        sys.stderr.write(f"{type(fault).__name__}: {fault}\n")
        return 2
    sys.stdout.write(f"{portal_url(settings)}/sign-in/link/{secret}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
