"""The only door to nameko, which ships no types: the few names used, given types.

nameko runs the service class, its workers and their life. Messages reach it through an
entry point of ours: nameko's own acknowledges what failed and lets bodies into logs.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Protocol, TypeVar, cast

import eventlet
from nameko.containers import ServiceContainer
from nameko.extensions import (
    DependencyProvider,
    Entrypoint,
    ProviderCollector,
    SharedExtension,
)

from shared.messaging.native import Native

Method = TypeVar("Method", bound=Callable[..., Any])
LOOK: Final = 0.2  # s a look into the queue may take
SOURCE: Final = "LETTERLOCK_SOURCE"
PARTS: Final = "LETTERLOCK_PARTS"
NATIVE: Final = "LETTERLOCK_NATIVE"


class Source(Protocol):
    """Where messages come from and where their outcome goes; called natively."""

    def next(self, timeout: float) -> Sequence[Any]:
        """Return messages that passed the gate, within `timeout` s."""
        ...

    def settle(self, arrived: Any, result: object, error: BaseException | None) -> None:
        """Answer one and settle it."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class _Inlet(ProviderCollector, SharedExtension):  # type: ignore[misc]  # nameko is untyped
    """Feeds the workers of a container from its source."""

    def __init__(self) -> None:
        super().__init__()
        self._stopping = False
        self._thread: Any = None

    def setup(self) -> None:
        self._native: Native = self.container.config[NATIVE]
        self._source: Source = self.container.config[SOURCE]

    def start(self) -> None:
        if self._thread is None:
            self._thread = self.container.spawn_managed_thread(self._run)

    def stop(self) -> None:
        self._native.call(self._source.close)

    def cease(self) -> None:
        """Take no more; what was taken is carried out."""
        self._stopping = True
        self._thread.wait()

    def _run(self) -> None:
        methods = {provider.method_name: provider for provider in self._providers}
        while not self._stopping:
            for arrived in self._native.call(self._source.next, LOOK):
                asked = arrived.asked
                self.container.spawn_worker(
                    methods[asked.operation.name],
                    (asked.request, asked.context),
                    {},
                    context_data={"label": asked.label},
                    handle_result=partial(self._handle, arrived),
                )

    def _handle(
        self, arrived: Any, worker: object, result: object, exc_info: Any
    ) -> tuple[object, object]:
        del worker
        error = exc_info[1] if exc_info else None
        self._native.call(self._source.settle, arrived, result, error)
        return result, exc_info


class _Rpc(Entrypoint):  # type: ignore[misc]  # nameko is untyped
    """One operation, reached by sealed messages."""

    inlet = _Inlet()

    def setup(self) -> None:
        self.inlet.register_provider(self)

    def stop(self) -> None:
        self.inlet.cease()
        self.inlet.unregister_provider(self)


def rpc(method: Method) -> Method:
    """Expose a method of a service class: one operation of its `api`."""
    return cast(Method, _Rpc.decorator(method))


class Provided(DependencyProvider):  # type: ignore[misc]  # nameko is untyped
    """Hand an object built by the composition root to each worker."""

    def __init__(self, key: str) -> None:
        """Remember which part to ask the container's parts for."""
        self.key = key

    def get_dependency(self, worker_ctx: Any) -> object:
        """Return the part as the caller of this message may use it."""
        config = self.container.config
        return _OnRealThreads(
            config[NATIVE], partial(config[PARTS][self.key], worker_ctx.data["label"])
        )


class _OnRealThreads:
    """Calls an operation natively."""

    def __init__(self, native: Native, carry_out: Callable[..., object]) -> None:
        self._native = native
        self._carry_out = carry_out

    def __getattr__(self, operation: str) -> Callable[[object, object], object]:
        def carried_out(request: object, context: object) -> object:
            return self._native.call(self._carry_out, operation, request, context)

        return carried_out


def provided(key: str) -> Any:
    """Declare a service attribute that nameko fills; annotate it with its `api`."""
    return Provided(key)


def container(
    service: type,
    *,
    source: Source,
    parts: dict[str, Callable[..., object]],
    native: Native,
    workers: int,
) -> Any:
    """Return a nameko container; `start()`, `stop()` and `wait()` it.

    nameko's own log of errors is silenced: it prints exceptions with their text, which
    may be personal. The desk tells them by type.
    """
    logging.getLogger("nameko").setLevel(logging.CRITICAL + 1)
    return ServiceContainer(
        service,
        {SOURCE: source, PARTS: parts, NATIVE: native, "max_workers": workers},
    )


def serve(
    service: type,
    *,
    source: Source,
    parts: dict[str, Callable[..., object]],
    native: Native,
    workers: int,
) -> None:
    """Run a container until SIGTERM or SIGINT; messages in hand are finished."""
    running = container(
        service, source=source, parts=parts, native=native, workers=workers
    )

    def stop(number: int, frame: object) -> None:
        del number, frame
        eventlet.spawn_n(running.stop)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    running.start()
    running.wait()
