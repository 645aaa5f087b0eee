"""Where an rpc process begins: `python -m services.rpc SERVICE SETTINGS`.

eventlet must patch before anything else of ours is imported, so this is a program of
its own and imports one module. `letterlock rpc` becomes it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

from shared.messaging.native import Native

WORKERS: Final = 10  # messages in hand at a time
SPARE_THREADS: Final = 4  # beside one for each worker


def main(argv: Sequence[str] | None = None) -> int:
    """Serve one service until stopped; 2 if what it needs is not fit to start with.

    Raises:
        NotNative: put together in the wrong order; it does not start.
    """
    service, variables = sys.argv[1:] if argv is None else argv
    native = Native(WORKERS + SPARE_THREADS)
    with native.modules():
        assembly: Any = import_module("services.rpc_parts")
        try:
            assembled = assembly.assembled(service, json.loads(variables), WORKERS)
        except assembly.TOLD as error:
            return int(assembly.complain(error))
    with assembled as (source, parts):
        native.check()
        native.free_logging()
        typed: Any = import_module("shared.messaging.nameko_typed")
        entry: Any = import_module(f"services.{service}.service")
        typed.serve(
            entry.SERVICE, source=source, parts=parts, native=native, workers=WORKERS
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
