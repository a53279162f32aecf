"""Call service ports of this machine, as a client would, and see whether anybody answers."""

import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ctl.view.doctor.from_here import Port

AT_ONCE = 16
ANSWER_S = 3.0
# HAProxy without a server takes a connection and closes it at once; a live service keeps it open
# for longer than that, or says something.
CLOSED_WITHIN_S = 0.3
NOBODY = ("502", "503", "504")


def why_silent(ports: Sequence[Port]) -> list[str]:
    """Return for each port why it does not answer; empty where it does."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="call") as pool:
        return list(pool.map(_why_silent, ports))


def _why_silent(port: Port) -> str:
    try:
        with socket.create_connection((port.host, port.port), ANSWER_S) as connection:
            return _http(connection, port) if port.is_http else _tcp(connection)
    except TimeoutError:
        return f"no answer within {ANSWER_S:g} s"
    except OSError as error:
        return error.strerror or str(error)


def _tcp(connection: socket.socket) -> str:
    connection.settimeout(CLOSED_WITHIN_S)
    try:
        said = connection.recv(1)
    except TimeoutError:
        return ""  # it waits for what the client says
    return "" if said else "the connection is closed at once"


def _http(connection: socket.socket, port: Port) -> str:
    request = f"HEAD / HTTP/1.1\r\nHost: {port.address}\r\nConnection: close\r\n\r\n"
    connection.sendall(request.encode())
    with connection.makefile("rb") as answer:
        words = answer.readline(200).decode(errors="replace").split()
    if len(words) < 2 or not words[0].startswith("HTTP/"):
        return "no HTTP comes back"
    return f"status {words[1]}" if words[1] in NOBODY else ""
