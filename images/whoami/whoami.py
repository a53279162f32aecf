"""A small HTTP/1.1 server that says who it is: `service container generation`. Only for trying out and for tests.

Uses nothing that Debian's python3-minimal lacks, and starts in a few milliseconds.

Environment: PORTS (8000; several with commas), GENERATION (any word), HEALTH (on or off), DELAY_S (seconds until it
listens), DRAIN_S (seconds it goes on after SIGTERM). Paths: / and any other, /health, /slow?s=2,
POST /health/on and /health/off. `whoami.py check` asks the one in this container for /health: exit status 0 or 1.
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
ENDING = {signal.SIGTERM, signal.SIGINT}

health = threading.Event()
stop = (
    threading.Event()
)  # asked to end: what is in flight is answered, and clients are told to leave


def line(port: int) -> str:
    """Who answers on this port."""
    service = ENV.get(f"SERVICE_{port}_NAME") or ENV.get("SERVICE_NAME") or "whoami"
    return f"{service} {socket.gethostname()} {ENV.get('GENERATION', '-')}\n"


def answer(method: str, target: str, who: str) -> tuple[str, str]:
    """Status and body for one request."""
    path, _, query = target.partition("?")
    if method == "POST" and path in ("/health/on", "/health/off"):
        (health.set if path.endswith("on") else health.clear)()
    if path == "/slow":
        time.sleep(float(query.removeprefix("s=") or 1))
    if path.startswith("/health"):
        healthy = health.is_set()
        return (
            "200 OK" if healthy or method == "POST" else "503 Service Unavailable",
            f"health {healthy}\n",
        )
    return "200 OK", who


def read_head(connection: socket.socket, had: bytes) -> tuple[bytes, bytes] | None:
    """The next request's head and what came after it; None when the client is done."""
    while b"\r\n\r\n" not in had:
        more = connection.recv(65536)
        if not more or len(had) > MOST_HEAD_BYTES:
            return None
        had += more
    head, _, rest = had.partition(b"\r\n\r\n")
    return head, rest


def skip_body(connection: socket.socket, fields: dict[str, str], rest: bytes) -> bytes:
    """What came after the request's body."""
    missing = int(fields.get("content-length", 0))
    while missing > len(rest):
        more = connection.recv(65536)
        if not more:
            return b""
        rest += more
    return rest[missing:]


def serve(connection: socket.socket, who: str) -> None:
    """All requests of one connection."""
    rest = b""
    connection.settimeout(IDLE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        while got := read_head(connection, rest):
            request, *lines = got[0].decode("latin-1").split("\r\n")
            fields = {
                name.strip().lower(): value.strip()
                for name, _, value in (field.partition(":") for field in lines)
            }
            method, target, version = request.split(" ")
            rest = skip_body(connection, fields, got[1])
            status, body = answer(method, target, who)
            wish = fields.get("connection", "").lower()
            keep = (
                wish == "keep-alive" if version == "HTTP/1.0" else wish != "close"
            ) and not stop.is_set()
            head = f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
            head += f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n"
            connection.sendall(
                f"HTTP/1.1 {status}\r\n{head}{'' if method == 'HEAD' else body}".encode()
            )
            if not keep:
                return


def quietly(connection: socket.socket, who: str) -> None:
    try:  # noqa: SIM105  contextlib is one more import before it listens
        serve(connection, who)
    except (OSError, ValueError):
        pass  # the client left, or does not speak HTTP: not this program's subject


def listen(port: int) -> None:
    who = line(port)
    with socket.create_server(
        ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024
    ) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=quietly, args=(connection, who), daemon=True).start()


def check() -> int:
    with socket.create_connection(("127.0.0.1", PORTS[0]), timeout=2) as connection:
        connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        return 0 if b" 200 " in connection.recv(100) else 1


def main() -> None:
    # The threads made from here inherit it: a signal that one of them took would not wake this one.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    if ENV.get("HEALTH", "on") == "on":
        health.set()
    if signal.sigtimedwait(ENDING, float(ENV.get("DELAY_S", 0))):
        return
    for port in PORTS:
        threading.Thread(target=listen, args=(port,), daemon=True).start()
    signal.sigwait(ENDING)
    stop.set()
    time.sleep(float(ENV.get("DRAIN_S", 0)))


if __name__ == "__main__":
    sys.exit(check() if sys.argv[1:] == ["check"] else main())
