"""Who may do what: for each operation, the callers and the actor's roles.

And for whom each caller speaks. Pure data. Compose puts it into one gate around every
`api` object; tests compare it with every `api` Protocol, and an operation without a row
fails the build.
"""

STAFF = ("sender", "author", "executive", "compliance", "admin")

# (caller, kind of actor): (roles, names of actors; none: the id of any person).
# What a caller says of an actor is believed so far and no further: the viewer, which
# the public reaches, can name nobody. Whoever is not a caller speaks for nobody.
SPEAKS_FOR = {
    ("portal", "staff"): ((*STAFF, "anonymous"), ()),  # anonymous: has no role yet
    ("portal", "anonymous"): (("anonymous",), ("anonymous",)),
    ("portal", "service"): (("service", "compliance"), ("portal", "operator")),
    ("viewer", "recipient"): (("recipient",), ("recipient",)),
    ("viewer", "anonymous"): (("recipient",), ("unknown",)),  # a fetch, by anything
    # as it was asked itself, or when something is due
    ("envelope", "staff"): (STAFF, ()),
    ("envelope", "recipient"): (("recipient",), ("recipient",)),
    ("envelope", "anonymous"): (("recipient",), ("unknown",)),
    ("envelope", "service"): (("service",), ("envelope",)),
}

# (service, operation): ("command" or "query", callers, roles)
POLICY = {
    # crm
    ("crm", "create"): ("command", ("portal",), ("sender", "admin")),
    ("crm", "change"): ("command", ("portal",), ("sender", "admin")),
    ("crm", "set_stop"): (
        "command",
        ("portal", "envelope"),
        ("sender", "compliance", "admin", "recipient"),
    ),
    ("crm", "permit"): ("command", ("envelope",), ("service",)),
    ("crm", "issue_code"): ("command", ("envelope",), ("recipient",)),
    ("crm", "read_code"): ("query", ("envelope",), ("service",)),
    ("crm", "check_code"): ("command", ("envelope",), ("recipient",)),
    ("crm", "check_fact"): ("query", ("envelope",), ("recipient",)),
    ("crm", "forget"): ("command", ("portal",), ("compliance",)),
    ("crm", "search"): ("query", ("portal",), ("sender", "compliance", "admin")),
    ("crm", "contact"): (
        "query",
        ("portal", "envelope"),
        ("sender", "compliance", "admin", "recipient"),
    ),
    ("crm", "recipient"): ("query", ("envelope",), ("sender", "recipient")),
    # letters
    ("letters", "draft"): ("command", ("portal",), ("author",)),
    ("letters", "submit"): ("command", ("portal",), ("author",)),
    ("letters", "approve"): ("command", ("portal",), ("executive",)),
    ("letters", "return_"): ("command", ("portal",), ("executive",)),
    ("letters", "withdraw"): ("command", ("portal",), ("executive",)),
    ("letters", "save_record"): ("command", ("portal",), ("sender", "admin")),
    ("letters", "issue"): ("command", ("envelope",), ("sender",)),
    ("letters", "preview"): (
        "query",
        ("envelope", "portal"),
        ("sender", "author", "executive"),
    ),
    ("letters", "preview_markup"): ("query", ("portal",), ("author", "executive")),
    ("letters", "pages"): ("query", ("portal",), STAFF),
    ("letters", "page"): ("query", ("portal",), STAFF),
    ("letters", "records"): ("query", ("portal",), ("sender", "compliance")),
    ("letters", "record"): ("query", ("portal",), ("sender", "compliance")),
    # envelope
    ("envelope", "describe"): ("command", ("portal",), ("admin",)),
    ("envelope", "organisation"): (
        "query",
        ("portal", "viewer"),
        (*STAFF, "recipient", "anonymous"),
    ),
    ("envelope", "preview"): ("query", ("portal",), ("sender",)),
    ("envelope", "send"): ("command", ("portal",), ("sender",)),
    ("envelope", "cancel"): ("command", ("portal",), ("sender",)),
    ("envelope", "set_expiry"): (
        "command",
        ("portal",),
        ("sender", "executive", "compliance"),
    ),
    ("envelope", "renew"): ("command", ("portal",), ("sender",)),
    ("envelope", "knock"): ("command", ("viewer",), ("recipient",)),
    ("envelope", "ask_code"): ("command", ("viewer",), ("recipient",)),
    ("envelope", "ask_fresh"): ("command", ("viewer",), ("recipient",)),
    ("envelope", "open"): ("command", ("viewer",), ("recipient",)),
    ("envelope", "read"): ("command", ("viewer",), ("recipient",)),
    ("envelope", "held"): ("query", ("viewer",), ("recipient",)),
    ("envelope", "choices"): ("query", ("viewer",), ("recipient",)),
    ("envelope", "choose"): ("command", ("viewer",), ("recipient",)),
    ("envelope", "messages"): (
        "query",
        ("portal",),
        ("sender", "executive", "compliance"),
    ),
    ("envelope", "message"): (
        "query",
        ("portal",),
        ("sender", "executive", "compliance"),
    ),
    ("envelope", "recent_pages"): ("query", ("portal",), ("sender",)),
    ("envelope", "attention"): ("query", ("portal",), ("sender", "compliance")),
    # audit
    ("audit", "seal_identity"): ("command", ("envelope",), ("sender",)),
    ("audit", "timeline"): (
        "query",
        ("portal", "envelope"),  # recipients' pages ask by ticket: envelope.held
        ("sender", "executive", "compliance", "recipient"),
    ),
    ("audit", "trail"): ("query", ("portal",), ("compliance",)),
    # portal: members of staff
    ("portal", "invite"): ("command", ("portal",), ("admin", "service")),
    ("portal", "set_role"): ("command", ("portal",), ("admin",)),
    ("portal", "make_sign_in_link"): ("command", ("portal",), ("admin", "service")),
    ("portal", "use_sign_in_link"): ("command", ("portal",), ("anonymous",)),
    ("portal", "set_password"): ("command", ("portal",), STAFF),
    ("portal", "sign_in"): ("command", ("portal",), ("anonymous",)),
    ("portal", "sign_out"): ("command", ("portal",), STAFF),
    ("portal", "staff"): ("query", ("portal",), (*STAFF, "service", "anonymous")),
    ("portal", "all_staff"): ("query", ("portal",), (*STAFF, "service")),
}
