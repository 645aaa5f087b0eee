"""Every way a page can fail, told in one manner: what is wrong, what to do, no more."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Final

from flask import Flask, g, render_template, request
from jinja2 import TemplateError
from markupsafe import escape
from werkzeug import Response
from werkzeug.exceptions import HTTPException

from shared.errors import DomainError, Fault
from shared.frames import frames_of
from shared.web.limits import TooManyTries, seconds

LOG: Final = logging.getLogger("letterlock.web")
PLAIN: Final = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
    "<title>Error: {title}</title></head><body><main><h1>{title}</h1>"
    "<p>{message}</p></main></body></html>"
)
BY_STATUS: Final = {
    400: ("Request not understood", "Your browser sent something we do not accept."),
    404: ("Page not found", "There is nothing at this address, or it is not yours."),
    405: ("Not possible here", "This page cannot be used in that way."),
    413: ("Too large", "What you sent is larger than this page accepts."),
    415: ("Request not understood", "What you sent is in a form we do not accept."),
    500: ("Something went wrong", "The fault is ours. It has been noted."),
    503: (
        "Not available just now",
        "A part we need is not answering. Nothing is lost.",
    ),
}
TITLES: Final = {
    401: "Sign in first",
    403: "Not allowed",
    404: "Page not found",
    409: "Not possible",
    410: "No longer available",
    422: "There is a problem",
    429: "A little too fast",
}
TRY_LATER: Final = "Try again in a minute."


def handle_errors(app: Flask) -> None:
    """Answer every error on `app` by the uniform page, or by JSON where asked for."""
    app.register_error_handler(DomainError, _refused)
    app.register_error_handler(Fault, _faulted)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unforeseen)


def error_page(
    *, status: int, code: str, title: str, message: str, hint: str = ""
) -> Response:
    """Return the uniform error answer: HTML, or JSON if the client prefers it."""
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    if best == "application/json":
        body = json.dumps({"code": code, "message": message, "hint": hint})
        return Response(body, status, mimetype="application/json")
    g.ll_plain_frame = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    try:
        page = render_template(
            "shared/error.html",
            status=status,
            code=code,
            title=title,
            message=message,
            hint=hint,
        )
    except (TemplateError, DomainError, Fault, RuntimeError, TypeError):
        page = PLAIN.format(title=escape(title), message=escape(message))
    return Response(page, status, mimetype="text/html")


def log_line(level: int, what: str, **fields: object) -> None:
    """Write one record on one line; values are JSON, so no newline or escape gets in.

    Names the route's rule, never the path: paths may hold tokens.
    """
    rule = request.url_rule.rule if request.url_rule else "-"
    known = {"method": request.method, "rule": rule, **fields}
    told = " ".join(f"{key}={json.dumps(str(value))}" for key, value in known.items())
    LOG.log(level, "%s %s", what, told)


def _refused(error: DomainError) -> Response:
    status = error.http_status
    log_line(logging.INFO, "refused", code=error.code, status=status)
    answer = error_page(
        status=status,
        code=error.code,
        title=TITLES.get(status, "Not possible"),
        message=str(error),
        hint=error.hint,
    )
    if isinstance(error, TooManyTries):
        answer.headers["Retry-After"] = str(seconds(error.retry_after))
    return answer


def _http(error: HTTPException) -> Response:
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if status < HTTPStatus.BAD_REQUEST:  # a redirect raised as an exception
        return Response(status=status, headers=dict(error.get_headers()))
    log_line(logging.INFO, "refused", code=f"http_{status}", status=status)
    title, message = BY_STATUS.get(status, BY_STATUS[400])
    answer = error_page(
        status=status, code=f"http_{status}", title=title, message=message
    )
    if allowed := dict(error.get_headers()).get("Allow"):
        answer.headers["Allow"] = allowed
    return answer


def _faulted(error: Fault) -> Response:
    log_line(logging.ERROR, "fault", type=type(error).__name__, at=frames_of(error))
    title, message = BY_STATUS[error.http_status]
    answer = error_page(
        status=error.http_status,
        code="unavailable",
        title=title,
        message=message,
        hint=TRY_LATER,
    )
    answer.headers["Retry-After"] = "60"
    return answer


def _unforeseen(error: Exception) -> Response:
    log_line(logging.ERROR, "fault", type=type(error).__name__, at=frames_of(error))
    title, message = BY_STATUS[500]
    return error_page(
        status=500, code="fault", title=title, message=message, hint=TRY_LATER
    )
