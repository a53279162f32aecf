"""Small servers on loopback that say who they are, over HTTP or line by line."""

import contextlib
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextlib.contextmanager
def backend(name: str, address: str = "127.0.0.1") -> Iterator[int]:
    """Run a server that answers with its name, and to /fail with status 500; gives its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def do_GET(self) -> None:
            self.send_response(500 if self.path == "/fail" else 200)
            self.send_header("Content-Length", str(len(name)))
            self.end_headers()
            self.wfile.write(name.encode())

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A health check that hangs up at once is no error."""

    server = Server((address, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, name=f"backend-{name}"
    )
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def backends(*names: str) -> Iterator[list[int]]:
    """Run several; gives their ports."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(backend(name)) for name in names]


@contextlib.contextmanager
def echo(name: str) -> Iterator[int]:
    """Run a tcp server that answers each line with its name; gives its port."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for _line in self.rfile:
                self.wfile.write(f"{name}\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
