"""Every operation of every service, and values of any type that goes over the wire."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from hypothesis import strategies as st

from services.audit.api import AuditApi
from services.crm.api import CrmApi
from services.envelope.api import EnvelopeApi
from services.letters.api import LettersApi
from services.portal.api import StaffApi
from shared.clock import from_micros
from shared.messaging.wire import Operation, operations_of

PROTOCOLS: dict[str, type] = {
    "crm": CrmApi,
    "letters": LettersApi,
    "envelope": EnvelopeApi,
    "audit": AuditApi,
    "portal": StaffApi,
}
OPERATIONS: list[tuple[str, Operation]] = [
    (service, operation)
    for service, protocol in PROTOCOLS.items()
    for operation in operations_of(protocol).values()
]
IDS = [f"{service}.{operation.name}" for service, operation in OPERATIONS]


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Return values of a type, edges included."""
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        int: st.integers(-(2**63), 2**63 - 1),
        bool: st.booleans(),
        bytes: st.binary(max_size=20),
        UUID: st.uuids(),
        datetime: st.integers(-(10**15), 10**15).map(from_micros),
    }
    if kind in plain:
        return plain[kind]
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return st.builds(
            kind, **{f.name: values_of(hints[f.name]) for f in dataclasses.fields(kind)}
        )
    return _made_of(kind)


def _made_of(kind: Any) -> st.SearchStrategy[Any]:
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        given = [values_of(part) for part in parts if part is not NoneType]
        return st.one_of(st.none(), *given)
    if origin is Literal:
        return st.sampled_from(parts)
    if origin is tuple and parts[1:] == (Ellipsis,):
        return st.lists(values_of(parts[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*(values_of(part) for part in parts))
    assert origin is dict
    return st.dictionaries(values_of(str), values_of(str), max_size=3)
