"""docker-stub: answers calls to a service from canned examples while the service itself does not
run.

FOLDER (default /stub) has one file for each answer. Its name selects the requests:

  orders.json               GET /orders, and /orders.json
  orders/{id}.json          GET /orders/ and one more path segment
  index.html                GET /
  POST/orders.201.json      POST /orders, with status 201
  orders.503.json           GET /orders, if the request asks for status 503
  DELETE/orders/{id}.yaml   a YAML file describes its answer: status, headers, delay, body

An OpenAPI 3 file (.json, .yaml, .yml) in FOLDER, or as FOLDER itself, also gives answers: its
examples, or else values made from its schemas. A file for the same path takes precedence. Edits
apply to the next request.

A request can choose its answer by header or query: X-Stub-Status: 503 or ?stub-status=503,
X-Stub-Delay: 2s or ?stub-delay=2s, X-Stub-Example: name or ?stub-example=name. The header X-Stub
of each answer names its file. A path without an answer gets a 404 that lists the available answers.
"""

import argparse
import logging
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from stub.app import App
from stub.load import Answers

# Longer than most clients keep an idle connection: else a request could meet one that is closing.
KEEP_ALIVE_S = 75
FINISH_S = 5  # for the requests in flight at the end: Docker kills after ten seconds


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")

    answers = Answers(options.folder)
    answers.table()  # reports what is wrong before the first request comes
    server = uvicorn.Server(_config(App(answers.table)))
    with _listener(options.port) as listener:
        port = listener.getsockname()[1]
        logging.getLogger(__name__).info("listening on port %d", port)
        server.run([listener])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "docker-stub",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path("/stub"),
        metavar="FOLDER",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=8000,
        help="port to listen on, at all addresses (default: 8000)",
    )
    return parser


def _config(app: App) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=FINISH_S,
    )


def _listener(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        listener = socket.create_server(
            ("", port),
            family=socket.AF_INET6,
            dualstack_ipv6=True,
            backlog=1024,
        )
    else:
        listener = socket.create_server(("", port), backlog=1024)

    # Connections inherit the option. A head and its body are two packets, and without it the
    # second waits 40 ms for an ACK. (asyncio sets it only for sockets whose proto is given.)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


if __name__ == "__main__":
    sys.exit(main())
