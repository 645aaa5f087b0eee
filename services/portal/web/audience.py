"""Who each page is for: by endpoint, the operation of `services/policy.py` it performs.

A page may be used by whoever may use that operation. Pure data; a test compares it with
the app's own map of routes, and an endpoint without a row is refused to everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.policy import POLICY

Deed = tuple[str, str]  # service, operation
PUBLIC: Final[Deed] = ("", "")
STAFF: Final[Deed] = ("portal", "all_staff")  # whoever holds a role

AUDIENCE: Final[Mapping[str, Deed]] = {
    "static": PUBLIC,
    "healthz": PUBLIC,
    "extras.static": PUBLIC,
    "signin.ask": PUBLIC,
    "signin.enter": PUBLIC,
    "signin.link": PUBLIC,
    "signin.use_link": PUBLIC,
    "signin.leave": PUBLIC,  # whoever is signed in may leave, with no role left too
    "home.show": STAFF,
    "home.help_page": STAFF,
    "contacts.index": ("crm", "search"),
    "contacts.find": ("crm", "search"),
    "contacts.new": ("crm", "create"),
    "contacts.show": ("envelope", "messages"),
    "contacts.details": ("crm", "contact"),
    "contacts.change": ("crm", "change"),
    "contacts.choices": ("crm", "contact"),
    "contacts.choose": ("crm", "set_stop"),
    "contacts.erase": ("crm", "forget"),
    "sending.ask": ("envelope", "send"),
    "sending.send": ("envelope", "send"),
    "sending.preview": ("envelope", "preview"),
    "messages.show": ("envelope", "message"),
    "messages.undo": ("envelope", "cancel"),
    "messages.disable": ("envelope", "set_expiry"),
    "messages.expiry": ("envelope", "set_expiry"),
    "messages.renew": ("envelope", "renew"),
    "letters.index": ("letters", "pages"),
    "letters.show": ("letters", "page"),
    "letters.new": ("letters", "draft"),
    "letters.edit": ("letters", "draft"),
    "letters.preview": ("letters", "preview_markup"),
    "letters.submit": ("letters", "submit"),
    "approvals.review": ("letters", "approve"),
    "approvals.withdraw": ("letters", "withdraw"),
    "requests.index": ("letters", "records"),
    "requests.new": ("letters", "save_record"),
    "requests.show": ("letters", "record"),
    "evidence.index": ("audit", "trail"),
    "evidence.table": ("audit", "trail"),
    "staff.index": ("portal", "set_role"),
    "staff.new": ("portal", "invite"),
    "staff.show": ("portal", "set_role"),
    "staff.link": ("portal", "make_sign_in_link"),
    "organisation.edit": ("envelope", "describe"),
    "account.show": ("portal", "set_password"),
}


def roles_for(deed: Deed) -> tuple[str, ...]:
    """Return the roles that may do `deed` from the portal, in the policy's order."""
    _kind, callers, roles = POLICY[deed]
    return roles if "portal" in callers else ()
