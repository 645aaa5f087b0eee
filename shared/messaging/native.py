"""Real threads beside green ones: how an rpc process keeps its store and keys sane.

nameko runs on eventlet, whose patched locks, queues and sockets deadlock when real
threads use them. So everything but nameko is imported while the unpatched modules stand
in `sys.modules`, and is called on real threads, through `eventlet.tpool`, alone.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

REPLACED: Final = ("threading", "queue", "socket", "ssl", "select", "selectors", "time")
"""What our code and its libraries must see unpatched."""
ROOTS: Final = (
    "shared",
    "services",
    "kombu",
    "amqp",
    "sqlalchemy",
    "tenacity",
    "grpc",
    "kurrentdbclient",
    "psycopg",
)
LATE: Final = {
    "grpc": (
        "grpc._auth",
        "grpc._channel",
        "grpc._interceptor",
        "grpc._plugin_wrapping",
        "grpc._utilities",
        "grpc.experimental",
    )
}
"""What a library would import only at its first call, when it is too late."""
GREEN: Final = frozenset({"shared.messaging.native", "shared.messaging.nameko_typed"})


class NotNative(Exception):
    """The process was put together in the wrong order; it must not start."""


class Native:
    """The unpatched modules of a process that eventlet has patched."""

    def __init__(self, threads: int) -> None:
        """Keep the unpatched modules, then patch; call first of all in the process.

        Args:
            threads: real threads for calls, at least one for each worker and two more.

        Raises:
            NotNative: something of ours was imported before.
        """
        if early := _loaded():
            message = f"{early[0]} was imported before eventlet patched"
            raise NotNative(message)
        warnings.filterwarnings("ignore", r"\s*Eventlet is deprecated")
        eventlet: Any = import_module("eventlet")
        patcher: Any = import_module("eventlet.patcher")
        self._originals = {name: patcher.original(name) for name in REPLACED}
        eventlet.monkey_patch()
        self._tpool: Any = import_module("eventlet.tpool")
        self._tpool.set_num_threads(threads)

    @contextmanager
    def modules(self) -> Iterator[None]:
        """Let everything imported inside see the unpatched modules.

        At the end, what the libraries imported put off is imported as well.
        """
        patched = {name: sys.modules[name] for name in REPLACED}
        sys.modules.update(self._originals)
        try:
            yield
            for library, late in LATE.items():
                if library in sys.modules:
                    for name in late:
                        import_module(name)
        finally:
            sys.modules.update(patched)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `function(...)`, run on a real thread; other green threads go on."""
        result: T = self._tpool.execute(function, *args, **kwargs)
        return result

    def free_logging(self) -> None:
        """Give logging real locks: real threads write lines as well as green ones."""
        threading = self._originals["threading"]
        logging._lock = threading.RLock()  # type: ignore[attr-defined]  # noqa: SLF001  # eventlet made it green
        for handler in logging.getLogger().handlers:
            handler.lock = threading.RLock()

    def check(self) -> None:
        """Look at every module of ours and our libraries.

        Raises:
            NotNative: one of them holds a patched module, or would import more later.
        """
        loaded = _loaded()
        for library, late in LATE.items():
            if library in sys.modules and (missing := set(late) - set(loaded)):
                message = f"{min(missing)} would be imported too late"
                raise NotNative(message)
        for name in loaded:
            held = vars(sys.modules[name])
            for replaced in REPLACED:
                found = held.get(replaced)
                if found is sys.modules[replaced]:
                    message = f"{name} holds the patched {replaced}"
                    raise NotNative(message)
        if not any(name.startswith("shared.eventstore") for name in loaded):
            raise NotNative("there is no store to be native")


def _loaded() -> list[str]:
    """Return the loaded modules that must be native."""
    return sorted(
        name
        for name in list(sys.modules)
        if name.partition(".")[0] in ROOTS
        and "." in name
        and name not in GREEN
        and name not in {"shared.messaging", "services.rpc"}
    )
