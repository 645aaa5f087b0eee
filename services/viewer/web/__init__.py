"""The recipient's pages, put together."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask

from services.envelope.api import EnvelopeApi
from services.viewer.web.choices import choices_pages
from services.viewer.web.door import door_pages
from services.viewer.web.letter import letter_pages
from services.viewer.web.plain import plain_pages
from shared.clock import Clock
from shared.web.app import build_app
from shared.web.frame import Frame
from shared.web.limits import Limiter
from shared.web.settings import WebSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerApis:
    """The operations these pages use, as the viewer may use them."""

    envelope: EnvelopeApi


def build_viewer_app(apis: ViewerApis, *, settings: WebSettings, clock: Clock) -> Flask:
    """Return the app of the public viewer. Opens nothing."""
    limiter = Limiter(clock)
    return build_app(
        "viewer",
        settings=settings,
        clock=clock,
        blueprints=[
            door_pages(apis.envelope, limiter, clock),
            letter_pages(apis.envelope, clock),
            choices_pages(apis.envelope),
            plain_pages(apis.envelope),
        ],
        frame=lambda: Frame(help="/help", accessibility="/accessibility"),
    )
