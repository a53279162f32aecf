"""A small HTTP/1.1 server that answers `service container generation`, to try out and to test.

It uses nothing that Debian's python3-minimal lacks, and starts in a few milliseconds.

Environment: PORTS (8000; several with commas), GENERATION (any word), HEALTH (on or off),
DELAY_S (seconds until it listens), DRAIN_S (seconds that it goes on after SIGTERM).
Paths: / and any other, /health, /slow?s=2, POST /health/on and /health/off.
`whoami.py check` asks the server in this container for /health: exit status 0 or 1.
"""

import os
import signal
import socket
import sys
import threading
import time

ENV = os.environ
PORTS = [int(port) for port in ENV.get("PORTS", "8000").split(",")]
IDLE_S = 60  # a silent connection is closed after this
MOST_HEAD_BYTES = 65536
HEAD_END = b"\r\n\r\n"
END_SIGNALS = {signal.SIGTERM, signal.SIGINT}

health = threading.Event()
stop = threading.Event()  # from the end signal on, clients are asked to close their connections


def identity(port: int) -> str:
    """Return the line that this container answers with on a port."""
    service = ENV.get(f"SERVICE_{port}_NAME") or ENV.get("SERVICE_NAME") or "whoami"
    return f"{service} {socket.gethostname()} {ENV.get('GENERATION', '-')}\n"


def answer(method: str, target: str, line: str) -> tuple[str, str]:
    """Return status and body for one request."""
    path, _, query = target.partition("?")
    if path.startswith("/health"):
        return health_answer(method, path)

    if path == "/slow":
        time.sleep(float(query.removeprefix("s=") or 1))

    return "200 OK", line


def health_answer(method: str, path: str) -> tuple[str, str]:
    if method == "POST" and path == "/health/on":
        health.set()
    if method == "POST" and path == "/health/off":
        health.clear()

    is_healthy = health.is_set()
    is_ok = is_healthy or method == "POST"
    return "200 OK" if is_ok else "503 Service Unavailable", f"health {is_healthy}\n"


def read_head(connection: socket.socket, received: bytes) -> tuple[bytes, bytes] | None:
    """Return the next request's head and what came after it; None when the client is done."""
    while HEAD_END not in received:
        more = connection.recv(65536)
        if not more or len(received) > MOST_HEAD_BYTES:
            return None
        received += more

    head, _, rest = received.partition(HEAD_END)
    return head, rest


def skip_body(connection: socket.socket, length: int, received: bytes) -> bytes:
    """Return what came after the request's body."""
    while length > len(received):
        more = connection.recv(65536)
        if not more:
            return b""
        received += more

    return received[length:]


def fields_of(lines: list[str]) -> dict[str, str]:
    """Return header values by name in lower case."""
    fields = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    return fields


def serve(connection: socket.socket, line: str) -> None:
    """Answer all requests of one connection."""
    connection.settimeout(IDLE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    rest = b""
    with connection:
        while request := read_head(connection, rest):
            head, rest = request
            request_line, *header_lines = head.decode("latin-1").split("\r\n")
            method, target, version = request_line.split(" ")
            fields = fields_of(header_lines)
            rest = skip_body(connection, int(fields.get("content-length", 0)), rest)

            status, body = answer(method, target, line)
            keep = is_kept(version, fields.get("connection", "").lower())
            connection.sendall(reply(method, status, body, keep))
            if not keep:
                return


def is_kept(version: str, wish: str) -> bool:
    """Whether the connection stays open after the reply."""
    if stop.is_set():
        return False

    return wish == "keep-alive" if version == "HTTP/1.0" else wish != "close"


def reply(method: str, status: str, body: str, keep: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        "Content-Type: text/plain",
        f"Content-Length: {len(body)}",
        f"Connection: {'keep-alive' if keep else 'close'}",
    ]
    head = "\r\n".join(lines) + "\r\n\r\n"
    return (head if method == "HEAD" else head + body).encode()


def serve_quietly(connection: socket.socket, line: str) -> None:
    try:  # noqa: SIM105  contextlib is one more import before it listens
        serve(connection, line)
    except (OSError, ValueError):
        pass  # the client left, or does not speak HTTP: neither matters here


def listen(port: int) -> None:
    line = identity(port)
    with socket.create_server(
        ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024
    ) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve_quietly, args=(connection, line), daemon=True).start()


def check() -> int:
    with socket.create_connection(("127.0.0.1", PORTS[0]), timeout=2) as connection:
        connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        status_line = connection.recv(100)
        return 0 if b" 200 " in status_line else 1


def main() -> None:
    # Threads inherit the mask: a signal that one of them took would not end the waits below.
    signal.pthread_sigmask(signal.SIG_BLOCK, END_SIGNALS)
    if ENV.get("HEALTH", "on") == "on":
        health.set()

    if signal.sigtimedwait(END_SIGNALS, float(ENV.get("DELAY_S", 0))):
        return

    for port in PORTS:
        threading.Thread(target=listen, args=(port,), daemon=True).start()

    signal.sigwait(END_SIGNALS)
    stop.set()
    time.sleep(float(ENV.get("DRAIN_S", 0)))


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        sys.exit(check())
    main()
