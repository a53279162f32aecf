"""Another host half a millisecond away: a network namespace behind a wire that delays each packet.

`tc netem` does that inside the kernel, but many small kernels have no netem. So each end of the
wire is a TUN device, and a process carries every IP packet from one to the other when its time has
come. Connections, with their handshakes, pass unchanged.

That process is `python -m bench.peers.wire NAMESPACE_FILE`.
"""

import contextlib
import ctypes
import fcntl
import os
import select
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.rig.usage import cpu_s
from lab.namespace import Namespace
from lab.process import run

HERE = "198.18.77.1"  # RFC 2544: a network for benchmarks
THERE = "198.18.77.2"
DEVICE = "tandem-bench"
DELAY_S = 0.0005  # each way
PACKET_BYTES_MAX = 65535

_TUNSETIFF = 0x400454CA  # linux/if_tun.h
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_PR_SET_TIMERSLACK = 29  # prctl(2): by default a wait may last 50 µs longer
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class FarHost:
    """A host whose programs run in `namespace`, and are reached at THERE."""

    namespace: Namespace
    wire_pid: int

    def wire_cpu_s(self) -> float:
        """Return the CPU seconds that the wire itself has used."""
        return cpu_s([self.wire_pid])


@contextlib.contextmanager
def far_host(folder: Path) -> Iterator[FarHost]:
    """Make the host and its wire; both are removed afterwards."""
    namespace = _namespace(folder / "far.net")
    namespace.create()
    command = [sys.executable, "-S", "-m", "bench.peers.wire", str(namespace.path)]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == b"ready\n", "the wire did not start"
                yield FarHost(namespace, process.pid)
            finally:
                process.terminate()
    finally:
        run("umount", str(namespace.path))


def _namespace(path: Path) -> Namespace:
    return Namespace("bench-far", path)


# -- the process


@dataclass(slots=True)
class Way:
    """One direction: what came out of one end and is not yet due at the other."""

    source: int
    target: int
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque)

    def take(self, now: float) -> None:
        """Take all that has come."""
        with contextlib.suppress(BlockingIOError):
            while True:
                packet = os.read(self.source, PACKET_BYTES_MAX)
                self.waiting.append((now + DELAY_S, packet))

    def give(self, now: float) -> None:
        """Give what is due."""
        while self.waiting and self.waiting[0][0] <= now:
            _, packet = self.waiting.popleft()
            os.write(self.target, packet)

    def due(self) -> float:
        return self.waiting[0][0] if self.waiting else float("inf")


def main(namespace_file: str) -> None:
    """Carry packets until a signal."""
    there = _namespace(Path(namespace_file))
    near = _tun()
    for command in _set_up(HERE):
        run(*command)

    with there.inside():
        far = _tun()
    for command in _set_up(THERE):
        there.run(*command)

    # A packet that is due must not wait for the programs that are measured.
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    _libc.prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    print("ready", flush=True)
    _carry(Way(near, far), Way(far, near))


def _tun() -> int:
    """Return one end of the wire: what is written to it, this network namespace receives."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    request = struct.pack("16sH", DEVICE.encode(), _IFF_TUN | _IFF_NO_PI)
    fcntl.ioctl(descriptor, _TUNSETIFF, request)
    return descriptor


def _set_up(address: str) -> tuple[tuple[str, ...], ...]:
    return (
        ("ip", "address", "add", f"{address}/30", "dev", DEVICE),
        ("ip", "link", "set", DEVICE, "txqueuelen", "10000", "up"),
    )


def _carry(*ways: Way) -> None:
    sources = [way.source for way in ways]
    while True:
        due = min(way.due() for way in ways)
        wait_s = None if due == float("inf") else max(0.0, due - time.monotonic())
        select.select(sources, [], [], wait_s)

        now = time.monotonic()
        for way in ways:
            way.take(now)
            way.give(now)


if __name__ == "__main__":
    main(sys.argv[1])
