"""Errors every service may raise, and the one way they cross a process boundary."""

from __future__ import annotations

from typing import ClassVar, Final

from typing_extensions import override

BY_CODE: Final[dict[str, type[DomainError]]] = {}


class DomainError(Exception):
    """A rule of the business refused the request; retrying unchanged cannot help.

    `code` is the name callers see (RPC reply, JSON body, audit line). It is part of the
    contract: never renamed, never reused. `http_status` is read only by `shared.web`.
    `hint` tells the person what to do next. Text holds nothing personal and no secret.
    """

    code: ClassVar[str] = "refused"
    http_status: ClassVar[int] = 409
    hint: ClassVar[str] = ""

    @override
    def __init_subclass__(cls) -> None:
        """Enter the class in the catalogue; a code taken twice is a mistake."""
        super().__init_subclass__()
        taken = BY_CODE.setdefault(cls.code, cls)
        if taken.__qualname__ != cls.__qualname__ or taken.__module__ != cls.__module__:
            message = f"error code {cls.code!r} is declared twice"
            raise TypeError(message)

    def __init__(self, detail: str = "") -> None:
        """Say what is wrong; without `detail`, the class's own sentence."""
        sentence = (type(self).__doc__ or "").strip().splitlines()[0]
        super().__init__(detail or sentence)


class NotFound(DomainError):
    """That does not exist, or it is not yours to see."""

    code = "not_found"
    http_status = 404


class NotAllowed(DomainError):
    """Your role does not allow this."""

    code = "not_allowed"
    http_status = 403
    hint = "Ask an administrator if you need this for your work."


class ActorNotAllowed(NotAllowed):
    """The service that asks does not speak for this actor in this role."""

    code = "actor_not_allowed"
    hint = "Look into the service that asked: none of ours does this."


class Malformed(DomainError):
    """Something in the request is missing or not in the expected form."""

    code = "malformed"
    http_status = 422
    hint = "Correct the field named and try again."


class Fault(Exception):
    """Something we depend on failed; nothing was half done, trying later may help."""

    http_status: ClassVar[int] = 503
