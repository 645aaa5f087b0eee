"""The one way to build a Flask app here: guarded, strict, uniform."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from flask import Blueprint, Flask, g
from werkzeug import Response

from shared.clock import Clock
from shared.web.assets import serve_assets
from shared.web.drafts import use_drafts
from shared.web.errors import handle_errors
from shared.web.frame import EMPTY, Frame, Notice, forget_notice, take_notice
from shared.web.pages import use_pages
from shared.web.security import check_exemptions, csp_nonce, csrf_field, guard
from shared.web.sessions import Sessions
from shared.web.settings import WebSettings
from shared.web.sources import use_proxies
from shared.web.words import FILTERS

HERE: Final = Path(__file__).parent
MOST_FIELDS: Final = 500
LARGEST_FIELD: Final = 512 * 1024  # bytes; a letter being edited is one field


def build_app(
    name: str,
    *,
    settings: WebSettings,
    clock: Clock,
    blueprints: Iterable[Blueprint],
    sessions: Sessions | None = None,
    frame: Callable[[], Frame] = lambda: EMPTY,
    notices: Mapping[str, Notice] | None = None,
    context: Mapping[str, object] | None = None,
) -> Flask:
    """Return the app of one site. Reads no environment, opens nothing.

    Args:
        name: of the service, e.g. "portal"; stands in logs.
        settings: addresses and limits.
        clock: ages form tokens.
        blueprints: the pages, each built around what it needs.
        sessions: where sign-ins are kept; None for a site without them.
        frame: asked once for each rendered page, inside its request.
        notices: what `leave_notice` may show, by code.
        context: further names for every template.

    Raises:
        ValueError: views marked `without_csrf` differ from those in `settings`.
    """
    app = Flask(name, root_path=str(HERE), static_folder="static")
    use_pages(app, HERE / "templates")
    app.config.update(
        DEBUG=False,
        MAX_CONTENT_LENGTH=settings.largest_body,
        MAX_FORM_PARTS=MOST_FIELDS,
        MAX_FORM_MEMORY_SIZE=min(LARGEST_FIELD, settings.largest_body),
    )
    app.url_map.strict_slashes = False  # no redirects that repeat the address
    app.url_map.merge_slashes = False
    app.extensions["ll_sessions"] = sessions
    app.extensions["ll_notices"] = dict(notices or {})
    app.jinja_env.filters.update(FILTERS)
    app.jinja_env.globals.update(
        csp_nonce=csp_nonce,
        csrf_field=csrf_field,
        take_notice=take_notice,
        site=settings.site,
        organisation=settings.organisation,
        layout=f"shared/{settings.site}.html",
        **(context or {}),
    )
    app.context_processor(lambda: {"frame": _frame_of(frame)})
    app.after_request(forget_notice)
    use_drafts(app)
    use_proxies(app, settings.trusted_proxies)
    guard(app, settings, clock)
    serve_assets(app, HERE / "static")
    handle_errors(app)
    app.add_url_rule("/healthz", "healthz", _healthy, methods=["GET"])
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    check_exemptions(app, settings)
    return app


def _frame_of(frame: Callable[[], Frame]) -> Frame:
    if g.get("ll_plain_frame"):
        return EMPTY
    if "ll_frame" not in g:
        g.ll_frame = frame()
    made: Frame = g.ll_frame
    return made


def _healthy() -> Response:
    """Say that the process answers; touches nothing behind it."""
    return Response("ok\n", mimetype="text/plain")
