"""Find out by connecting whether programs listen yet: one thread, non-blocking sockets.

Decides nothing about what is published.

Docker's userland proxy accepts on a published port before the program behind it listens, and
whether or not it ever does, and then closes at once. So the container's own address is asked
first: a refusal or an accept there is the truth. The announced address is asked only if that says
nothing: there, an accept counts only if nobody closes the connection for a while.
"""

import errno
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from register.ready.readiness import ProbeResult, SocketAddress, Started, Target
from sidecar.actors import Actor
from sidecar.log import Details

log = logging.getLogger(__name__)

HELD_S = 0.25  # the userland proxy closes within a few milliseconds; on a busy host within tens
# A container answers within a tenth of a millisecond; without an answer for so long, the announced
# address is asked as well. The userland proxy would only take time from a program that starts.
DIRECT_S = 0.02
CONNECT_S = 1.0  # a SYN without an answer for so long was dropped somewhere
# Without any answer for so long, the port cannot be probed from here; it is published unprobed.
BLIND_S = 3.0
PAUSE_MIN_S = 0.001  # a refusal by a neighbour takes a tenth of a millisecond
# The pause is this part of the time waited so far: listening is noticed a tenth late at most.
PAUSE_PART = 0.1
# As often as all containers are inspected again. Ports that never listen must cost next to nothing.
PAUSE_MAX_S = 300.0
AT_ONCE = 64  # probes; each holds a few descriptors, of which a process has 1024

Outcome = Literal["accepted", "refused", "silent"]
_OUTCOMES: Mapping[int, Outcome] = {
    0: "accepted",
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "refused",
}


@dataclass(slots=True, eq=False)
class _Attempt:
    """One connection that is being tried."""

    sock: socket.socket
    probe: "_Probe"
    is_direct: bool
    until_s: float
    is_connected: bool = False


@dataclass(slots=True, eq=False)
class _Probe:
    """One target that nothing has accepted for yet."""

    target: Target
    since_s: float
    next_s: float
    announced_s: float | None = None  # when this try turns to the announced address; None: it has
    attempts: set[_Attempt] = field(default_factory=set)
    was_answered: bool = False  # somebody refused at least once


class Prober:
    """Keeps probing its targets; `results` is replaced whole, and may be read from any thread."""

    def __init__(self, on_result: Callable[[], None], *, blind_s: float = BLIND_S) -> None:
        self.results: Mapping[Started, ProbeResult] = MappingProxyType({})
        self._on_result = on_result
        self._blind_s = blind_s
        self._targets: tuple[Target, ...] = ()
        self._probes: dict[Started, _Probe] = {}
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        self._stop = threading.Event()

    def set_targets(self, targets: tuple[Target, ...]) -> None:
        """Probe these from now on; a result lives as long as its target is among them."""
        if targets != self._targets:
            self._targets = targets
            self._wake()

    def actor(self) -> Actor:
        """Return the actor that probes."""
        return Actor("probe", self.run, self.interrupt)

    def interrupt(self) -> None:
        """Make `run` return."""
        self._stop.set()
        self._wake()

    def run(self) -> None:
        """Probe until interrupted."""
        for sock in (self._woken, self._waker):
            sock.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)

        try:
            while not self._stop.is_set():
                self._retarget(time.monotonic())
                self._start_due(time.monotonic())
                for key, _ in self._selector.select(self._timeout_s(time.monotonic())):
                    self._on_event(key.data)
                self._expire(time.monotonic())
        finally:
            self._close()

    def _wake(self) -> None:
        with suppress(OSError):  # full: it is awake already; closed: it has ended
            self._waker.send(b"!")

    def _close(self) -> None:
        for probe in self._probes.values():
            self._drop_all(probe)
        for closing in (self._selector, self._woken, self._waker):
            closing.close()

    # Which probes there are, and when each is tried

    def _retarget(self, now_s: float) -> None:
        """Begin with the targets that are new, and forget those that are gone."""
        wanted = {target.started: target for target in self._targets}
        gone = [started for started in self._probes if started not in wanted]
        for started in gone:
            self._drop_all(self._probes.pop(started))

        kept = {started: result for started, result in self.results.items() if started in wanted}
        if len(kept) != len(self.results):
            self.results = MappingProxyType(kept)

        for started, target in wanted.items():
            probe = self._probes.get(started)
            if probe is not None and probe.target != target:
                probe.target, probe.next_s = target, now_s  # its addresses have changed
            elif probe is None and started not in self.results:
                self._probes[started] = _Probe(target, since_s=now_s, next_s=now_s)

    def _start_due(self, now_s: float) -> None:
        active = self._active()
        for probe in list(self._probes.values()):
            if active >= AT_ONCE:
                return
            if not probe.attempts and probe.next_s <= now_s:
                active += 1
                self._try(probe, now_s)

    def _active(self) -> int:
        return sum(1 for probe in self._probes.values() if probe.attempts)

    def _timeout_s(self, now_s: float) -> float | None:
        times_s: list[float] = []
        may_start = self._active() < AT_ONCE
        for probe in self._probes.values():
            times_s += [attempt.until_s for attempt in probe.attempts]
            if probe.announced_s is not None:
                times_s.append(probe.announced_s)
            if may_start and not probe.attempts:
                times_s.append(probe.next_s)
        return max(0.0, min(times_s) - now_s) if times_s else None

    # One try of one probe

    def _try(self, probe: _Probe, now_s: float) -> None:
        target = probe.target
        probe.announced_s = None if target.announced in target.direct else now_s + DIRECT_S
        for address in target.direct:
            self._connect(probe, address, now_s, is_direct=True)
            if target.started not in self._probes:
                return  # accepted at once
        self._conclude(probe)

    def _try_announced(self, probe: _Probe) -> None:
        probe.announced_s = None
        self._connect(probe, probe.target.announced, time.monotonic(), is_direct=False)

    def _connect(
        self, probe: _Probe, address: SocketAddress, now_s: float, *, is_direct: bool
    ) -> None:
        host, _ = address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            log.debug("cannot probe %s", Details(address=address, why=error))
            return

        sock.setblocking(False)
        attempt = _Attempt(sock, probe, is_direct, now_s + CONNECT_S)
        probe.attempts.add(attempt)
        try:
            number = sock.connect_ex(address)
        except (OSError, ValueError):  # an engine's answer may hold what is no address
            number = errno.EADDRNOTAVAIL

        if number == errno.EINPROGRESS:
            self._selector.register(sock, selectors.EVENT_WRITE, attempt)
        else:
            self._on_connected(attempt, number)

    def _on_event(self, attempt: _Attempt | None) -> None:
        if attempt is None:
            with suppress(OSError):
                self._woken.recv(4096)
            return

        if attempt not in attempt.probe.attempts:
            return  # an earlier event of this round has ended it
        if attempt.is_connected:
            self._finish(attempt, _outcome_of_reading(attempt.sock))
        else:
            number = attempt.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._on_connected(attempt, number)

    def _on_connected(self, attempt: _Attempt, number: int) -> None:
        """Go on after connect(2) ended with an error number, 0 for none."""
        if number == 0 and not attempt.is_direct:
            attempt.is_connected = True
            attempt.until_s = time.monotonic() + HELD_S
            self._unregister(attempt)
            self._selector.register(attempt.sock, selectors.EVENT_READ, attempt)
            return

        self._finish(attempt, _OUTCOMES.get(number, "silent"))

    def _expire(self, now_s: float) -> None:
        over: list[_Attempt] = []
        for probe in tuple(self._probes.values()):
            over += [attempt for attempt in probe.attempts if attempt.until_s <= now_s]
            if probe.announced_s is not None and probe.announced_s <= now_s:
                self._try_announced(probe)

        for attempt in over:
            if attempt in attempt.probe.attempts:
                self._finish(attempt, "accepted" if attempt.is_connected else "silent")

    def _finish(self, attempt: _Attempt, outcome: Outcome) -> None:
        """Take one attempt's outcome; what the container itself answers is final for this try."""
        probe = attempt.probe
        self._drop(attempt)
        if outcome == "accepted":
            self._decide(probe, "accepted")
            return

        if outcome == "refused":
            probe.was_answered = True
            if attempt.is_direct and not any(other.is_direct for other in probe.attempts):
                probe.announced_s = None
                self._drop_all(probe)
        self._conclude(probe)

    def _conclude(self, probe: _Probe) -> None:
        """Plan the next try once no attempt is left, or give up on a port without any answer."""
        if not probe.attempts and probe.announced_s is not None:
            self._try_announced(probe)
        if probe.attempts or probe.target.started not in self._probes:
            return

        now_s = time.monotonic()
        waited_s = now_s - probe.since_s
        if not probe.was_answered and waited_s >= self._blind_s:
            self._decide(probe, "unprobed")
            return

        probe.next_s = now_s + pause_s(waited_s)

    def _decide(self, probe: _Probe, result: ProbeResult) -> None:
        self._drop_all(probe)
        started, announced = probe.target.started, probe.target.announced
        self._probes.pop(started, None)

        if result == "unprobed":
            shown = Details(
                container=started.container[:12], port=started.port, announced=announced
            )
            log.warning("cannot probe the port from here, publishing it without a probe %s", shown)
        self.results = MappingProxyType({**self.results, started: result})
        self._on_result()

    def _drop_all(self, probe: _Probe) -> None:
        for attempt in tuple(probe.attempts):
            self._drop(attempt)

    def _drop(self, attempt: _Attempt) -> None:
        attempt.probe.attempts.discard(attempt)
        self._unregister(attempt)
        attempt.sock.close()

    def _unregister(self, attempt: _Attempt) -> None:
        with suppress(KeyError, ValueError):
            self._selector.unregister(attempt.sock)


def pause_s(waited_s: float) -> float:
    """Return how long to wait before the next try."""
    return min(max(waited_s * PAUSE_PART, PAUSE_MIN_S), PAUSE_MAX_S)


def _outcome_of_reading(sock: socket.socket) -> Outcome:
    """Tell a program that greets from a proxy that hangs up."""
    try:
        return "accepted" if sock.recv(1, socket.MSG_PEEK) else "refused"
    except OSError:
        return "refused"
