"""A mail relay that does what a script says, connection by connection."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO, Final, Literal

from tests.journeys.post import Post

Stage = Literal["greeting", "tls", "mail", "rcpt", "data", "content", "never"]
How = Literal["says", "hangs up", "is silent", "dribbles"]
GOOD: Final[dict[Stage, bytes]] = {
    "greeting": b"220 relay.example\r\n",
    "tls": b"220 go on\r\n",
    "mail": b"250 fine\r\n",
    "rcpt": b"250 fine\r\n",
    "data": b"354 go on\r\n",
    "content": b"250 taken\r\n",
}
PACE: Final = 1.0  # s between the bytes of a relay that dribbles


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What the relay does in one connection: all is well up to the stage named."""

    name: str
    at: Stage = "never"
    how: How = "says"
    words: bytes = b""
    keeps: bool = True  # the mail, if all of it comes

    def __str__(self) -> str:
        """Name it, as an id of a test."""
        return self.name


TAKES: Final = Act(name="takes it")
SILENT: Final = Act(name="says nothing", at="greeting", how="is silent")
DRIBBLES: Final = Act(name="dribbles", at="greeting", how="dribbles")
NO_TLS: Final = Act(name="breaks TLS", at="tls", words=b"220 go on\r\nnot TLS\r\n")
AT_DATA: Final = Act(name="hangs up at DATA", at="data", how="hangs up", keeps=False)
LOSES: Final = Act(name="drops it", at="content", how="hangs up", keeps=False)
TAKES_AND_CUTS: Final = Act(name="takes it, then cuts", at="content", how="hangs up")
TAKES_AND_WAITS: Final = Act(name="takes it in silence", at="content", how="is silent")
MUMBLES: Final = Act(name="takes it, cut in the word", at="content", words=b"25")


def replies(at: Stage, reply: str) -> Act:
    """Return the act of a relay that says no at a stage."""
    words = reply.encode() + b"\r\n"
    return Act(name=f"{at} {reply[:3]}", at=at, words=words, keeps=False)


class ScriptedRelay:
    """Listens on one port of loopback; without a script it takes every mail."""

    def __init__(self, post: Post, port: int) -> None:
        """Keep mails in `post`; listens once it is opened."""
        self.post = post
        self.port = port
        self.script: deque[Act] = deque()
        self.tls: ssl.SSLContext | None = None
        self.calls = 0  # connections taken so far
        self._server: socket.socket | None = None
        self._lines: set[socket.socket] = set()

    def open(self) -> None:
        """Begin to take connections."""
        self._server = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._listen, args=[self._server], daemon=True).start()

    def shut(self) -> None:
        """Refuse connections from now on, and end those that are open."""
        for line in (self._server, *self._lines):
            if line is not None:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
                line.close()
        self._server = None

    def _listen(self, server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                line, _ = server.accept()
                self.calls += 1
                act = self.script.popleft() if self.script else TAKES
                threading.Thread(
                    target=self._meet, args=[line, act], daemon=True
                ).start()

    def _meet(self, line: socket.socket, act: Act) -> None:
        self._lines.add(line)
        try:
            with suppress(OSError):
                _Talk(self, line, act).go()
        finally:
            self._lines.discard(line)
            line.close()


class _Talk:
    """One connection, in which one mail may be handed over."""

    def __init__(self, relay: ScriptedRelay, line: socket.socket, act: Act) -> None:
        self._relay, self._line, self._act = relay, line, act
        self._words = line.makefile("rb")
        self._recipient = ""

    def go(self) -> None:
        try:
            going = self._say("greeting")
            while going and (command := self._words.readline()):
                going = self._answer(command)
        finally:
            self._words.close()
            self._line.close()

    def _answer(self, command: bytes) -> bool:
        match command[:4].upper():
            case b"EHLO":
                offers = self._relay.tls is not None or self._act.at == "tls"
                more = b"STARTTLS" if offers else b"8BITMIME"
                self._line.sendall(b"250-relay\r\n250 " + more + b"\r\n")
                return True
            case b"STAR":
                return self._say("tls") and self._secured()
            case b"MAIL":
                return self._say("mail")
            case b"RCPT":
                self._recipient = command.decode().partition("<")[2].strip("> \r\n")
                return self._say("rcpt")
            case b"DATA":
                return self._say("data") and (self._act.at == "data" or self._take())
            case _:
                return False

    def _secured(self) -> bool:
        if self._relay.tls is not None:
            self._words.close()
            self._line = self._relay.tls.wrap_socket(self._line, server_side=True)
            self._words = self._line.makefile("rb")
        return True

    def _take(self) -> bool:
        content = _content(self._words)
        if self._act.keeps:
            self._relay.post.take((self._recipient,), content)
        return self._say("content")

    def _say(self, stage: Stage) -> bool:
        """Answer as the act says; False at the end of the talk."""
        act, line = self._act, self._line
        if act.at != stage:
            line.sendall(GOOD[stage])
            return True
        match act.how:
            case "says":
                line.sendall(act.words)
                return act.words.endswith(b"\r\n")
            case "is silent":
                self._words.read()  # until the other side goes
            case "dribbles":
                for byte in b"220 " + b"x" * 400:
                    line.sendall(bytes([byte]))
                    time.sleep(PACE)
        return False


def _content(words: BinaryIO) -> bytes:
    lines: list[bytes] = []
    while (line := words.readline()) != b".\r\n":
        if not line:
            raise ConnectionError
        lines.append(line[1:] if line.startswith(b"..") else line)
    return b"".join(lines)


@contextmanager
def scripted(post: Post, port: int) -> Iterator[ScriptedRelay]:
    """Run a relay that keeps mails in `post`."""
    relay = ScriptedRelay(post, port)
    relay.open()
    try:
        yield relay
    finally:
        relay.shut()
