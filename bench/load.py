"""Call a service at a steady rate and count every call that failed, by how. One process is one connection at a time.

python -m bench.load ADDRESS PORT SERVICE close|keep RATE: prints a JSON document when it gets SIGTERM.

`close` makes a connection for each call; `keep` makes the next call on the same one for as long as the server lets it.
A call is lost when its connection is refused, reset, closed without a whole reply or silent for too long, or when the
status is not 200. A kept connection that was closed before anything was sent on it is no loss, and is made anew.
"""

import collections
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

SILENCE_S = 5.0
SLOW_S = 0.5  # a call that waited for a lost SYN takes at least 1 s: tcp(7)
MOMENTS = 100  # of lost calls that are kept with their time
KEPT_CALLS = 200  # on one connection, so that new ones come too
_running = True


class Lost(Exception):
    """A call that got no good reply; its text is the kind."""


@dataclass(slots=True)
class Client:
    """Makes one call after the other."""

    address: str
    port: int
    service: str
    keep: bool
    done: int = 0
    slow: int = 0
    longest_s: float = 0.0
    lost: "collections.Counter[str]" = field(default_factory=collections.Counter)
    moments: list[tuple[int, int, str]] = field(
        default_factory=list
    )  # begin and end of each lost call
    slow_moments: list[tuple[int, int]] = field(
        default_factory=list
    )  # begin and end of each slow call
    by: "collections.Counter[str]" = field(default_factory=collections.Counter)
    last: dict[str, int] = field(default_factory=dict)  # container -> when it answered last
    _socket: socket.socket | None = None
    _calls: int = 0

    def call(self) -> None:
        """Make a call and count it."""
        began, began_ns = time.monotonic(), time.time_ns()
        try:
            words = self._reply()
        except (Lost, OSError) as error:
            kind = str(error) if isinstance(error, Lost) else _kind(error)
            self.lost[kind] += 1
            if len(self.moments) < MOMENTS:
                self.moments.append((began_ns, time.time_ns(), kind))
            self._drop()
        else:
            self.by[words[1]] += 1
            self.last[words[1]] = time.time_ns()
            if words[0] != self.service:
                self.lost[f"reply of {words[0]}"] += 1
        took_s = time.monotonic() - began
        self.done += 1
        if took_s > SLOW_S:
            self.slow += 1
            if len(self.slow_moments) < MOMENTS:
                self.slow_moments.append((began_ns, time.time_ns()))
        self.longest_s = max(self.longest_s, took_s)

    def _reply(self) -> list[str]:
        connection = self._connected()
        wish = "keep-alive" if self.keep else "close"
        connection.sendall(
            f"GET / HTTP/1.1\r\nHost: {self.service}\r\nConnection: {wish}\r\n\r\n".encode()
        )
        head, body = self._read(connection)
        self._calls += 1
        if not self.keep or b"connection: close" in head.lower() or self._calls >= KEPT_CALLS:
            self._drop()
        if b" 200 " not in head[:13]:
            raise Lost(f"status {head[9:12].decode(errors='replace')}")
        return body.decode().split()

    def _connected(self) -> socket.socket:
        if self._socket is not None and _is_closed(self._socket):
            self._drop()
        if self._socket is None:
            self._calls = 0
            self._socket = socket.create_connection((self.address, self.port), timeout=SILENCE_S)
        return self._socket

    @staticmethod
    def _read(connection: socket.socket) -> tuple[bytes, bytes]:
        had = b""
        while True:
            head, separator, body = had.partition(b"\r\n\r\n")
            if separator and len(body) >= _length(head):
                return head, body
            more = connection.recv(65536)
            if not more:
                raise Lost("closed within the reply" if had else "closed without a reply")
            had += more

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def document(self) -> dict[str, Any]:
        return {
            "done": self.done,
            "slow": self.slow,
            "longest_s": self.longest_s,
            "lost": self.lost,
            "moments": self.moments,
            "slow_moments": self.slow_moments,
            "by": self.by,
            "last": self.last,
        }


class Load:
    """Several clients, each a process; the sums of what they counted. `prefix` is a command that runs each of them."""

    def __init__(
        self,
        address: str,
        port: int,
        service: str,
        *,
        close: int = 2,
        keep: int = 2,
        rate: float = 100,
        prefix: Sequence[str] = (),
    ) -> None:
        kinds = ["close"] * close + ["keep"] * keep
        base = [*prefix, sys.executable, "-S", "-m", "bench.load", address, str(port), service]
        self.service = service
        self._began = time.monotonic()
        self._clients = {
            number: (kind, subprocess.Popen([*base, kind, str(rate)], stdout=subprocess.PIPE))
            for number, kind in enumerate(kinds)
        }
        for _, process in self._clients.values():
            assert process.stdout and process.stdout.readline() == b"ready\n", (
                f"a client of {service} did not start"
            )
        self.results: dict[str, list[dict[str, Any]]] = {"close": [], "keep": []}
        self.seconds = 0.0

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Stop calling and collect."""
        self.seconds = self.seconds or time.monotonic() - self._began
        for _, process in self._clients.values():
            process.terminate()
        for kind, process in self._clients.values():
            output, _ = process.communicate(timeout=SILENCE_S + 5)
            self.results[kind].append(json.loads(output))
        self._clients = {}

    def done(self, kind: str = "") -> int:
        return sum(result["done"] for result in self._of(kind))

    def slow(self, kind: str = "") -> int:
        return sum(result["slow"] for result in self._of(kind))

    def longest_ms(self) -> float:
        return float(max(result["longest_s"] for result in self._of(""))) * 1000

    def lost(self, kind: str = "") -> dict[str, int]:
        """Return how many calls were lost, by how."""
        return dict(
            sum(
                (collections.Counter(result["lost"]) for result in self._of(kind)),
                collections.Counter(),
            )
        )

    def moments(self, kind: str = "") -> list[tuple[int, int, str]]:
        """Return when each of the first lost calls began and ended, by this machine's clock, and how it was lost."""
        return sorted(
            (began, ended, how)
            for result in self._of(kind)
            for began, ended, how in result["moments"]
        )

    def slow_moments(self) -> list[tuple[int, int]]:
        """Return when each of the first slow calls began and ended."""
        return sorted(
            (began, ended) for result in self._of("") for began, ended in result["slow_moments"]
        )

    def by(self) -> dict[str, int]:
        """Return how many replies each container gave."""
        return dict(
            sum(
                (collections.Counter(result["by"]) for result in self._of("")),
                collections.Counter(),
            )
        )

    def last_ns(self) -> dict[str, int]:
        """Return when each container answered last, by this machine's clock."""
        last: dict[str, int] = {}
        for result in self._of(""):
            for container, when_ns in result["last"].items():
                last[container] = max(when_ns, last.get(container, 0))
        return last

    def _of(self, kind: str) -> Sequence[dict[str, Any]]:
        return [
            result
            for each, results in self.results.items()
            if kind in ("", each)
            for result in results
        ]


def _kind(error: OSError) -> str:
    return "timeout" if isinstance(error, TimeoutError) else type(error).__name__


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    raise Lost("no Content-Length")


def _is_closed(connection: socket.socket) -> bool:
    """Whether the server has ended a connection on which nothing is expected."""
    return bool(select.select([connection], [], [], 0)[0])


def _end(*_: object) -> None:
    global _running  # noqa: PLW0603  a signal handler has no other way out of a loop without a lock
    _running = False


def main() -> None:
    address, port, service, kind, rate = sys.argv[1:]
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started this ends it
    client = Client(address, int(port), service, kind == "keep")
    pause_s, pace = 1 / float(rate), threading.Event()
    parent = os.getppid()
    print("ready", flush=True)
    next_s = time.monotonic()
    while _running and os.getppid() == parent:
        client.call()
        # after a stall the missed calls are made up for, at most a second's worth
        next_s = max(next_s + pause_s, time.monotonic() - 1)
        if (wait_s := next_s - time.monotonic()) > 0:
            pace.wait(wait_s)
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(client.document()), flush=True)


if __name__ == "__main__":
    main()
