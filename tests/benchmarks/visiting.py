"""Rows of the whole system: send a letter, and open it over HTTP as a person does."""

from __future__ import annotations

import html
import itertools
import re
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPResponse
from typing import Final
from urllib.parse import urlencode

from tests.benchmarks.lab import MICRO, Lab, Line, Target, percentile
from tests.benchmarks.sending import FAMILY
from tests.benchmarks.system import a_system

OPEN: Final = "open a letter over HTTP: door and reveal"
SEND: Final = "send a letter: accepted and sealed"
MAIL: Final = "send a letter: until its mail is in the mailbox"
WARM: Final = 10  # visits that are not measured
STATIC: Final = "a static page of the same server"
CLIENTS: Final = (1, 2, 4, 8)
ALLOWED: Final = 50_000.0  # us, p99 at half of peak load
TIMEOUT: Final = 30  # s
FIELD: Final = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')
STYLE: Final = re.compile(r'href="(/static/[^"]+\.css[^"]*)"')
OK: Final = 200
SEE_OTHER: Final = 303


class Visitors:
    """Strangers to one another: each comes from another loopback address.

    So the limits on guessing stay on and are never met.
    """

    def __init__(self, viewer: int, tokens: Sequence[str]) -> None:
        """Visit the viewer on this port by these links."""
        self._viewer = viewer
        self._tokens = tokens
        self._numbers = itertools.count(1)
        self._style = self._find_style()

    def open(self) -> float:
        """Fetch the door, give the answer; return the seconds until it is granted.

        The evidence of the view is durable before the second response.
        """
        number = next(self._numbers)
        token = self._tokens[number % len(self._tokens)]
        path = f"/e/{token}"
        with closing(self._connection(number)) as line:
            start = time.perf_counter()
            door, body = _ask(line, "GET", path)
            cookies = "; ".join(
                each.partition(";")[0]
                for each in door.headers.get_all("Set-Cookie") or ()
            )
            form = {**_fields(body), "answer": FAMILY}
            headers = {
                "Cookie": cookies,
                "Content-Type": "application/x-www-form-urlencoded",
                "Origin": f"http://localhost:{self._viewer}",
                "Sec-Fetch-Site": "same-origin",
            }
            shown, _ = _ask(line, "POST", path, urlencode(form), headers)
            taken = time.perf_counter() - start
        _expect(shown, SEE_OTHER)
        return taken

    def fetch(self) -> float:
        """Fetch a static page; return the seconds it took."""
        with closing(self._connection(next(self._numbers))) as line:
            start = time.perf_counter()
            response, _ = _ask(line, "GET", self._style)
            taken = time.perf_counter() - start
        _expect(response, OK)
        return taken

    def _find_style(self) -> str:
        with closing(self._connection(next(self._numbers))) as line:
            response, body = _ask(line, "GET", "/help")
        _expect(response, OK)
        found = STYLE.search(body)
        if found is None:
            raise ValueError("the page has no style sheet: build the front end first")
        return html.unescape(found[1])

    def _connection(self, number: int) -> HTTPConnection:
        source = (
            f"127.{1 + number // 62_500 % 250}.{number // 250 % 250}.{number % 250 + 1}"
        )
        return HTTPConnection(
            "127.0.0.1",
            self._viewer,
            timeout=TIMEOUT,
            source_address=(source, 0),
        )


def visits(lab: Lab) -> Iterator[Line]:
    """Send and open through one process, beside a static page of the same server."""
    with ExitStack() as stack:
        letters = lab.sizes.letters
        with lab.step(f"starting the whole system, sending {sum(letters)} letters"):
            system = stack.enter_context(a_system(lab.room()))
            stages = [system.send(number) for number in letters]
        visitors = Visitors(system.viewer, system.tokens)
        for _ in range(WARM):
            visitors.open()
        static = statistics.median(visitors.fetch() for _ in range(WARM))
        for stage in stages:
            yield _beside(SEND, stage.letters, stage.accepted, static)
            yield _beside(MAIL, stage.letters, stage.mailed, static)
        for size in lab.sizes.visits:
            with lab.step(f"{OPEN}, {size:,} times"):
                opened, fetched = [], []
                for _ in range(size):
                    opened.append(visitors.open())
                    fetched.append(visitors.fetch())
            ours, theirs = statistics.median(opened), statistics.median(fetched)
            yield _beside(OPEN, size, ours, theirs)
        with lab.step(f"{OPEN}, under load"):
            yield from _under_load(visitors, lab.sizes.loaded)


def _beside(row: str, size: int, ours: float, static: float) -> Line:
    return Line(
        row=row,
        size=size,
        unit="us",
        ours=ours * MICRO,
        peer=STATIC,
        theirs=static * MICRO,
        ratio=ours / static,
    )


def _under_load(visitors: Visitors, lasting: float) -> Iterator[Line]:
    """Find the peak of openings in a second, then look at half of it."""
    most, at_peak = max(
        (peak(visitors.open, clients, lasting), clients) for clients in CLIENTS
    )
    static, _ = max(
        (peak(visitors.fetch, clients, lasting), clients) for clients in CLIENTS
    )
    yield Line(
        row="open, at peak load",
        size=at_peak,
        unit="per s",
        ours=most,
        peer=STATIC,
        theirs=static,
        ratio=most / static,
    )
    took = _paced(visitors.open, most / 2, lasting)
    late = percentile(took, 0.99) * MICRO
    yield Line(
        row="open, p99 at half of peak load",
        size=len(took),
        unit="us",
        ours=late,
        peer="50 ms",
        theirs=ALLOWED,
        ratio=late / ALLOWED,
        target=Target(at_most=1),
    )


def peak(visit: Callable[[], float], clients: int, lasting: float) -> float:
    """Return how many visits a second `clients` get done, each without a pause."""
    end = time.perf_counter() + lasting

    def go(_: int) -> int:
        done = 0
        while time.perf_counter() < end:
            visit()
            done += 1
        return done

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        done = sum(pool.map(go, range(clients)))
    return done / (time.perf_counter() - start)


def _paced(visit: Callable[[], float], rate: float, lasting: float) -> list[float]:
    """Start `rate` visits a second; return the seconds from when each was due."""
    due = [number / rate for number in range(max(1, int(rate * lasting)))]
    begin = time.perf_counter() + 0.1

    def go(at: float) -> float:
        time.sleep(max(0.0, begin + at - time.perf_counter()))
        visit()
        return time.perf_counter() - begin - at

    with ThreadPoolExecutor(max(CLIENTS)) as pool:
        return list(pool.map(go, due))


def _ask(
    line: HTTPConnection,
    method: str,
    path: str,
    body: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[HTTPResponse, str]:
    """Send one request; return the response and its text."""
    host = {"Host": f"localhost:{line.port}"}
    line.request(method, path, body, {**host, **(headers or {})})
    response = line.getresponse()
    return response, response.read().decode()


def _fields(page: str) -> dict[str, str]:
    """Return the hidden fields of the form on the door."""
    return {name: html.unescape(value) for name, value in FIELD.findall(page)}


def _expect(response: HTTPResponse, status: int) -> None:
    if response.status != status:
        message = (
            f"answered {response.status} instead of {status}: nothing was measured"
        )
        raise ValueError(message)
