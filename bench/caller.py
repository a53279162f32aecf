"""Call a service at a steady rate and count every call that failed, by kind.

python -m bench.caller ADDRESS PORT SERVICE close|keep RATE: prints a JSON document at SIGTERM.
One process uses one connection at a time; bench/load.py starts several.

`close` makes a connection for each call; `keep` makes the next call on the same connection for as
long as the server allows. A call is lost when its connection is refused, reset, closed without a
whole reply or silent for too long, or when the status is not 200. A kept connection that was closed
before anything was sent on it is no loss: the call is made on a new one.
"""

import collections
import contextlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

SILENCE_S = 5.0
SLOW_S = 0.5  # a call that waited for a lost SYN takes at least 1 s: tcp(7)
MOST_MOMENTS = 100  # of lost and of slow calls that are kept with their time
CALLS_A_CONNECTION = 200  # then it is closed, so that new connections come too
CATCH_UP_S = 1.0  # after a stall, missed calls of so long are made up for

_running = True


class LostCall(NamedTuple):
    """When a lost call began and ended, by this machine's clock, and how it was lost."""

    began_ns: int
    ended_ns: int
    kind: str


class SlowCall(NamedTuple):
    """When a slow call began and ended, by this machine's clock."""

    began_ns: int
    ended_ns: int


class Lost(Exception):
    """A call without a good reply; its text is the kind."""


@dataclass(slots=True)
class Count:
    """What became of the calls; the moments are those of the first lost and slow calls."""

    done: int = 0
    slow: int = 0
    longest_s: float = 0.0
    lost: "collections.Counter[str]" = field(default_factory=collections.Counter)
    lost_calls: list[LostCall] = field(default_factory=list)
    slow_calls: list[SlowCall] = field(default_factory=list)

    def failed(self, began_ns: int, kind: str) -> None:
        self.lost[kind] += 1
        if len(self.lost_calls) < MOST_MOMENTS:
            self.lost_calls.append(LostCall(began_ns, time.time_ns(), kind))

    def ended(self, began_ns: int, took_s: float) -> None:
        self.done += 1
        self.longest_s = max(self.longest_s, took_s)
        if took_s > SLOW_S:
            self.slow += 1
            if len(self.slow_calls) < MOST_MOMENTS:
                self.slow_calls.append(SlowCall(began_ns, time.time_ns()))

    def document(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class Caller:
    """Makes one call after the other."""

    def __init__(
        self,
        address: str,
        port: int,
        service: str,
        *,
        keep: bool,
    ) -> None:
        self.count = Count()
        self._place = (address, port)
        self._service = service
        self._keep = keep
        wish = "keep-alive" if keep else "close"
        request = f"GET / HTTP/1.1\r\nHost: {service}\r\nConnection: {wish}\r\n\r\n"
        self._request = request.encode()
        self._socket: socket.socket | None = None
        self._calls = 0  # on this connection

    def call(self) -> None:
        """Make a call and count it."""
        began_s = time.monotonic()
        began_ns = time.time_ns()
        try:
            service = self._reply()
        except (Lost, OSError) as error:
            self.count.failed(began_ns, _kind(error))
            self._drop()
        else:
            if service != self._service:
                self.count.lost[f"reply of {service}"] += 1

        self.count.ended(began_ns, time.monotonic() - began_s)

    def _reply(self) -> str:
        """Return the service that replies: the first word of the body."""
        connection = self._connected()
        connection.sendall(self._request)
        head, body = _read(connection)
        self._calls += 1

        is_worn = self._calls >= CALLS_A_CONNECTION
        if not self._keep or is_worn or b"connection: close" in head.lower():
            self._drop()

        if b" 200 " not in head[:13]:
            raise Lost(f"status {head[9:12].decode(errors='replace')}")

        service, *_ = body.decode().split()
        return service

    def _connected(self) -> socket.socket:
        if self._socket is not None and _is_closed(self._socket):
            self._drop()

        if self._socket is None:
            self._calls = 0
            self._socket = socket.create_connection(self._place, timeout=SILENCE_S)

        return self._socket

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None


def _read(connection: socket.socket) -> tuple[bytes, bytes]:
    """Return head and body of a reply."""
    received = b""
    while True:
        head, separator, body = received.partition(b"\r\n\r\n")
        if separator and len(body) >= _length(head):
            return head, body

        more = connection.recv(65536)
        if not more:
            raise Lost("closed within the reply" if received else "closed without a reply")
        received += more


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            _, _, length = line.partition(b":")
            return int(length)

    raise Lost("no Content-Length")


def _kind(error: Lost | OSError) -> str:
    if isinstance(error, Lost):
        return str(error)

    return "timeout" if isinstance(error, TimeoutError) else type(error).__name__


def _is_closed(connection: socket.socket) -> bool:
    """Whether the server has ended a connection: no reply is due, so only its end can be read."""
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable)


def _end(*_: object) -> None:
    global _running  # noqa: PLW0603  a signal handler has no other way out of a loop without a lock
    _running = False


def main() -> None:
    address, port, service, kind, rate = sys.argv[1:]
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    caller = Caller(address, int(port), service, keep=kind == "keep")
    print("ready", flush=True)

    _call_until_ended(caller, pause_s=1 / float(rate))

    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(caller.count.document()), flush=True)


def _call_until_ended(caller: Caller, pause_s: float) -> None:
    parent = os.getppid()
    pace = threading.Event()
    next_s = time.monotonic()
    while _running and os.getppid() == parent:
        caller.call()

        next_s = max(next_s + pause_s, time.monotonic() - CATCH_UP_S)
        wait_s = next_s - time.monotonic()
        if wait_s > 0:
            pace.wait(wait_s)


if __name__ == "__main__":
    main()
