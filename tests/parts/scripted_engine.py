"""An engine that answers whatever a test wants, on loopback."""

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answers = dict[str, tuple[int, bytes]]  # path -> status and body

LIST = "/containers/json"
VERSION = b'{"ApiVersion": "1.41", "MinAPIVersion": "1.12"}'


@contextlib.contextmanager
def scripted_engine(
    answers: Mapping[str, tuple[int, bytes]], tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Answer each path, without its version, with a status and a body; /version is known.

    Gives the DOCKER_HOST.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0].removeprefix("/v1.41")
            status, body = {"/version": (200, VERSION), **answers}.get(
                path, (404, b'{"message": "no such thing"}')
            )
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="scripted-engine")
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def inspected(number: int) -> dict[str, object]:
    """Return a healthy container, which needs no probe."""
    return {
        "Id": f"{number:064x}",
        "Name": f"/scripted-{number}",
        "State": {
            "Running": True,
            "StartedAt": "2026-01-01T00:00:00Z",
            "Health": {"Status": "healthy"},
        },
        "Config": {"Image": "scripted", "Labels": {"SERVICE_NAME": f"scripted-{number}"}},
        "NetworkSettings": {
            "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(20000 + number)}]}
        },
    }


def answers_of(count: int) -> Answers:
    """Return what an engine answers that runs so many containers."""
    return answers_with([inspected(number) for number in range(1, count + 1)])


def answers_with(containers: Sequence[Mapping[str, object]]) -> Answers:
    """Return what an engine answers that runs these containers."""
    listed = json.dumps([{"Id": container["Id"]} for container in containers]).encode()
    answers: Answers = {LIST: (200, listed)}
    for container in containers:
        path = f"/containers/{container['Id']}/json"
        answers[path] = (200, json.dumps(container).encode())

    return answers
