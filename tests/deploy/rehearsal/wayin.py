"""How people get in: ports passed on, or an ingress that encrypts again."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

HOP: Final = {"connection", "keep-alive", "transfer-encoding", "x-forwarded-for"}
PATIENCE: Final = 30.0


def forward(at: tuple[str, int], to: tuple[str, int]) -> None:
    """Pass connections on, byte for byte: TLS ends at the process behind."""

    def copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def serve(server: socket.socket) -> None:
        while True:
            near, _ = server.accept()
            far = socket.create_connection(to, PATIENCE)
            for pair in ((near, far), (far, near)):
                threading.Thread(target=copy, args=pair, daemon=True).start()

    server = socket.create_server(at)
    threading.Thread(target=serve, args=(server,), daemon=True).start()


class Ingress(ThreadingHTTPServer):
    """Opens the encryption, writes who the client is, encrypts again, checks whom."""

    daemon_threads = True

    def __init__(
        self,
        at: tuple[str, int],
        to: tuple[str, int],
        name: str,
        *,
        shown: tuple[str, str],
        trust: str,
    ) -> None:
        """Listen at `at` showing a certificate and its key; the pod must prove `name`.

        `trust` is what its certificate must descend from.
        """
        super().__init__(at, _Handler)
        self.to, self.name = to, name
        self.towards = ssl.create_default_context(cafile=trust)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*shown)
        self.socket = tls.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Line(http.client.HTTPSConnection):
    def __init__(self, ingress: Ingress) -> None:
        super().__init__(*ingress.to, timeout=PATIENCE)
        self._ingress = ingress

    def connect(self) -> None:
        plain = socket.create_connection(self._ingress.to, PATIENCE)
        towards, name = self._ingress.towards, self._ingress.name
        self.sock = towards.wrap_socket(plain, server_hostname=name)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Ingress

    def do_GET(self) -> None:
        self._pass_on()

    def do_HEAD(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        told = {n: v for n, v in self.headers.items() if n.lower() not in HOP}
        told["X-Forwarded-For"] = self.client_address[0]
        line = _Line(self.server)
        line.request(self.command, self.path, body or None, told)
        answer = line.getresponse()
        content = answer.read()
        line.close()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP | {"content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *told: object) -> None:
        """Say nothing."""
