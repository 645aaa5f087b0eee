"""Static files: named with a hash of what they hold, so browsers may keep them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from flask import Flask, request
from werkzeug import Response

FOREVER: Final = "public, max-age=31536000, immutable"
BRIEFLY: Final = "public, max-age=60"


class Assets:
    """Knows the address of each static file; hashes it at its first use."""

    def __init__(self, folder: Path) -> None:
        """Serve from `folder`, as built by `npm run build`."""
        self._folder = folder
        self._hashes: dict[str, str] = {}

    def url(self, name: str) -> str:
        """Return `/static/<name>?v=<8 hex digits>`; without the query if not built."""
        if name not in self._hashes:
            path = self._folder / name
            if not path.is_file():
                return f"/static/{name}"
            self._hashes[name] = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
        return f"/static/{name}?v={self._hashes[name]}"


def serve_assets(app: Flask, folder: Path) -> None:
    """Offer `asset(name)` to templates and let versioned files be kept for a year."""
    app.jinja_env.globals["asset"] = Assets(folder).url
    app.after_request(_cache)


def _cache(response: Response) -> Response:
    if request.endpoint == "static":
        kept = "v" in request.args or request.path.startswith("/static/fonts/")
        response.headers["Cache-Control"] = (
            FOREVER if kept and response.status_code < 400 else BRIEFLY  # noqa: PLR2004
        )
    return response
