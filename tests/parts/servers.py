"""Real servers on loopback, of the kinds that people run behind the pair; each gives its port."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
from websockets.sync.server import ServerConnection, serve

from tests.parts.leftovers import note_process, scratch_folder
from tests.parts.ports import free_port
from tests.parts.wait import wait_for

START_S = 30.0  # each takes under 2 s; the machine may be full of other tests
ECHO = "/tandem.Test/"  # where the gRPC server answers: Unary and Stream
EVENTS = 5
MB = 1024 * 1024


class Web:
    """An HTTP/1.1 server: says what it was asked, counts what it is sent, and sends events when it
    is told to.

    The next event is sent when `next_event` is set: so a test knows whether the one before came
    through by then.
    """

    def __init__(self) -> None:
        self.next_event = threading.Event()
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_GET(self) -> None:
                if self.path == "/events":
                    self._events()
                else:
                    self._answer(f"GET {self.path} {self.headers['Host']}")

            def do_PUT(self) -> None:
                left = length = int(self.headers["Content-Length"])
                while left and (got := len(self.rfile.read(min(left, MB)))):
                    left -= got
                self._answer(f"{length - left} bytes")

            def _answer(self, text: str) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def _events(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                for number in range(EVENTS):
                    self.wfile.write(f"data: {number}\n\n".encode())
                    if not web.next_event.wait(START_S):
                        return
                    web.next_event.clear()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """A health check that hangs up at once is no error."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @contextlib.contextmanager
    def running(self) -> Iterator[int]:
        """Run it; gives its port."""
        with _serving(lambda: self._server.serve_forever(0.05), self._server.shutdown):
            yield self._server.server_address[1]
        self._server.server_close()


@contextlib.contextmanager
def _serving(run: Callable[[], object], stop: Callable[[], object]) -> Iterator[None]:
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join()


@contextlib.contextmanager
def websocket_server() -> Iterator[int]:
    """Run a websocket server that sends each message back in capitals."""

    def answer(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(str(message).upper())

    with serve(answer, "127.0.0.1", 0) as server, _serving(server.serve_forever, server.shutdown):
        yield server.socket.getsockname()[1]


@contextlib.contextmanager
def grpc_server() -> Iterator[int]:
    """Run a gRPC server, without generated code: Unary sends its bytes back, Stream each byte of
    them alone.
    """

    def stream(request: bytes, context: object) -> Iterator[bytes]:
        return (bytes([byte]) for byte in request)

    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(lambda request, context: request),
        "Stream": grpc.unary_stream_rpc_method_handler(stream),
    }
    with ThreadPoolExecutor(2) as pool:
        # Its threads begin now, or a test would seem to leave one behind.
        all_here = threading.Barrier(2)
        list(pool.map(lambda _: all_here.wait(START_S), range(2)))
        server = grpc.server(pool)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(ECHO.strip("/"), handlers),)
        )
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield port
        finally:
            server.stop(None).wait(10)


@contextlib.contextmanager
def redis_server() -> Iterator[int]:
    """Run redis-server without a file of its own."""
    port = free_port()
    command = [
        "redis-server",
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
    ]
    with _process(command, port):
        yield port


@contextlib.contextmanager
def postgres_server() -> Iterator[int]:
    """Run a new PostgreSQL, as its own user where we are root: it refuses root.

    Everybody on loopback may log in.
    """
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)
    )
    assert found, "no PostgreSQL on this machine: make test installs it"
    port = free_port()
    with scratch_folder("postgres") as folder:
        shutil.chown(folder, user)
        words = ("-U", "postgres", "-A", "trust", "--locale=C", "--no-sync")
        init = [str(found[-1] / "initdb"), "-D", f"{folder}/data", *words]
        subprocess.run(init, check=True, capture_output=True, timeout=60, cwd=folder, **_as(user))
        flags = (
            "-D",
            f"{folder}/data",
            "-p",
            str(port),
            "-h",
            "127.0.0.1",
            "-k",
            str(folder),
            "-F",
        )
        with _process([str(found[-1] / "postgres"), *flags], port, user=user, folder=folder):
            yield port


def _as(user: str) -> dict[str, Any]:
    return {"user": user, "group": user, "extra_groups": []} if os.geteuid() == 0 else {}


@contextlib.contextmanager
def _process(
    command: list[str], port: int, user: str = "", folder: Path | None = None
) -> Iterator[None]:
    """Run a program until the block ends; the block begins when its port accepts."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        command, stdout=quiet, stderr=quiet, cwd=folder, **_as(user) if user else {}
    )
    note_process(process.pid)
    try:
        wait_for(lambda: _accepts(port), START_S, f"{command[0]} listens")
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _accepts(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
