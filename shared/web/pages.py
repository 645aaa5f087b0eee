"""The template environment: strict for our pages, lenient for borrowed macros."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from flask import Flask
from flask.templating import Environment
from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    FileSystemLoader,
    PackageLoader,
    PrefixLoader,
    StrictUndefined,
    Template,
    Undefined,
)
from typing_extensions import override

BORROWED: Final = ("govuk_frontend_jinja", "govuk_frontend_wtf")


class StrictPages(Environment):
    """Fails on a name that was never given, but not inside the GOV.UK macros.

    Those ask for every optional parameter by name; they get a lenient overlay.
    """

    _lenient: StrictPages | None = None

    @override
    def _load_template(
        self,
        name: str,
        globals: object = None,
    ) -> Template:
        if not self.overlayed and name.partition("/")[0] in BORROWED:
            if self._lenient is None:
                self._lenient = self.overlay(undefined=Undefined)
            return self._lenient._load_template(name, globals)  # noqa: SLF001
        return super()._load_template(name, globals)  # type: ignore[arg-type]


def use_pages(app: Flask, templates: Path) -> None:
    """Give `app` the strict environment over our templates and the borrowed macros."""
    loaders: list[BaseLoader] = [
        FileSystemLoader(templates),
        PrefixLoader({name: PackageLoader(name) for name in BORROWED}),
    ]
    app.jinja_environment = StrictPages
    app.jinja_options = {"undefined": StrictUndefined, "trim_blocks": True}
    app.jinja_loader = ChoiceLoader(loaders)
