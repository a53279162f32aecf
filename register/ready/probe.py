"""Find out by connecting whether programs listen yet. One thread, non-blocking sockets; no decision what to publish.

Docker's userland proxy accepts on a published port before, and whether or not, the program behind it listens, and
then closes at once. So the container's own address is asked first: a refusal or an accept there is the truth. By the
announced address an accept counts only if nobody closes the connection for a while.
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

from register.ready.readiness import Started, Target, Verdict
from sidecar.actors import Actor
from sidecar.log import Details

log = logging.getLogger(__name__)

HELD_S = 0.25  # the userland proxy closes within a few milliseconds; on a busy host within tens
CONNECT_S = 1.0  # a SYN that gets no answer is dropped somewhere
BLIND_S = 3.0  # without any answer for so long the port cannot be seen from here, and is published unprobed
PAUSE_MIN_S, PAUSE_MAX_S = 0.001, 1.0  # a refusal by a neighbour takes a tenth of a millisecond
PAUSE_PART = (
    0.1  # of the time waited so far: listening is noticed at most a tenth later than it began
)
AT_ONCE = 64  # probes; each holds a few descriptors, of which a process has 1024

Outcome = Literal["accepted", "refused", "silent"]


@dataclass(slots=True, eq=False)
class _Route:
    """One connection that is being tried."""

    sock: socket.socket
    probe: "_Probe"
    direct: bool
    until_s: float
    connected: bool = False


@dataclass(slots=True, eq=False)
class _Probe:
    """One target that nothing has accepted for yet."""

    target: Target
    since_s: float
    next_s: float
    routes: set[_Route] = field(default_factory=set)
    refused: bool = False  # in this try
    answered: bool = False  # ever


class Prober:
    """Keeps probing what it was last told to; `verdicts` is replaced whole, and may be read from any thread."""

    def __init__(self, on_verdict: Callable[[], None], *, blind_s: float = BLIND_S) -> None:
        self.verdicts: Mapping[Started, Verdict] = MappingProxyType({})
        self._on_verdict, self._blind_s = on_verdict, blind_s
        self._targets: tuple[Target, ...] = ()
        self._probes: dict[Started, _Probe] = {}
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        self._stop = threading.Event()

    def aim(self, targets: tuple[Target, ...]) -> None:
        """Probe these from now on; a verdict lives as long as its target is among them."""
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
            self._drop_routes(probe)
        for closing in (self._selector, self._woken, self._waker):
            closing.close()

    def _retarget(self, now_s: float) -> None:
        """Take over the latest targets: forget who is not among them, begin with who is new."""
        wanted = {target.started: target for target in self._targets}
        for started in [s for s in self._probes if s not in wanted]:
            self._drop_routes(self._probes.pop(started))
        kept = {started: verdict for started, verdict in self.verdicts.items() if started in wanted}
        if len(kept) != len(self.verdicts):
            self.verdicts = MappingProxyType(kept)
        for started, target in wanted.items():
            probe = self._probes.get(started)
            if probe is not None:
                probe.target = target  # its addresses may have changed
            elif started not in self.verdicts:
                self._probes[started] = _Probe(target, now_s, now_s)

    def _start_due(self, now_s: float) -> None:
        active = sum(1 for probe in self._probes.values() if probe.routes)
        for probe in list(self._probes.values()):
            if active >= AT_ONCE:
                return
            if not probe.routes and probe.next_s <= now_s:
                active += 1
                self._try(probe, now_s)

    def _timeout_s(self, now_s: float) -> float | None:
        active = sum(1 for probe in self._probes.values() if probe.routes)
        times = [route.until_s for probe in self._probes.values() for route in probe.routes]
        if active < AT_ONCE:
            times += [probe.next_s for probe in self._probes.values() if not probe.routes]
        return max(0.0, min(times) - now_s) if times else None

    def _try(self, probe: _Probe, now_s: float) -> None:
        probe.refused = False
        routes = [(address, True) for address in probe.target.direct]
        if probe.target.announced not in probe.target.direct:
            routes.append((probe.target.announced, False))
        for address, direct in routes:
            self._connect(probe, address, direct, now_s)
            if probe.target.started not in self._probes:
                return  # accepted at once
        self._conclude(probe)

    def _connect(self, probe: _Probe, address: tuple[str, int], direct: bool, now_s: float) -> None:
        try:
            sock = socket.socket(
                socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM
            )
        except OSError as error:
            log.debug("cannot probe %s", Details(address=address, why=error))
            return
        sock.setblocking(False)
        route = _Route(sock, probe, direct, now_s + CONNECT_S)
        probe.routes.add(route)
        try:
            number = sock.connect_ex(address)
        except (OSError, ValueError):  # an engine's answer may hold what is no address
            number = errno.EADDRNOTAVAIL
        if number == errno.EINPROGRESS:
            self._selector.register(sock, selectors.EVENT_WRITE, route)
        else:
            self._on_connected(route, number)

    def _on_event(self, route: _Route | None) -> None:
        if route is None:
            with suppress(OSError):
                self._woken.recv(4096)
        elif route in route.probe.routes:  # an earlier event of this round may have ended it
            if route.connected:
                self._finish(route, _outcome_of_reading(route.sock))
            else:
                self._on_connected(route, route.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _on_connected(self, route: _Route, number: int) -> None:
        if number == 0 and not route.direct:
            route.connected, route.until_s = True, time.monotonic() + HELD_S
            self._unregister(route)
            self._selector.register(route.sock, selectors.EVENT_READ, route)
            return
        outcomes: Mapping[int, Outcome] = {
            0: "accepted",
            errno.ECONNREFUSED: "refused",
            errno.ECONNRESET: "refused",
        }
        self._finish(route, outcomes.get(number, "silent"))

    def _expire(self, now_s: float) -> None:
        over = [r for p in self._probes.values() for r in p.routes if r.until_s <= now_s]
        for route in over:
            if route in route.probe.routes:
                self._finish(route, "accepted" if route.connected else "silent")

    def _finish(self, route: _Route, outcome: Outcome) -> None:
        """Take one route's outcome; what the container itself answers is final for this try."""
        probe = route.probe
        self._drop(route)
        if outcome == "accepted":
            self._decide(probe, "accepted")
            return
        if outcome == "refused":
            probe.refused = probe.answered = True
            if route.direct and not any(other.direct for other in probe.routes):
                self._drop_routes(probe)
        self._conclude(probe)

    def _conclude(self, probe: _Probe) -> None:
        """Plan the next try once no route is left, or give up on a port that cannot be seen."""
        if probe.routes:
            return
        now_s = time.monotonic()
        waited_s = now_s - probe.since_s
        if not probe.answered and waited_s >= self._blind_s:
            self._decide(probe, "unprobed")
            return
        probe.next_s = now_s + min(max(waited_s * PAUSE_PART, PAUSE_MIN_S), PAUSE_MAX_S)

    def _decide(self, probe: _Probe, verdict: Verdict) -> None:
        self._drop_routes(probe)
        started = probe.target.started
        self._probes.pop(started, None)
        if verdict == "unprobed":
            log.warning(
                "port cannot be probed from here, publishing it without %s",
                Details(
                    container=started.container[:12],
                    port=started.port,
                    announced=probe.target.announced,
                ),
            )
        self.verdicts = MappingProxyType({**self.verdicts, started: verdict})
        self._on_verdict()

    def _drop_routes(self, probe: _Probe) -> None:
        for route in tuple(probe.routes):
            self._drop(route)

    def _drop(self, route: _Route) -> None:
        route.probe.routes.discard(route)
        self._unregister(route)
        route.sock.close()

    def _unregister(self, route: _Route) -> None:
        with suppress(KeyError, ValueError):
            self._selector.unregister(route.sock)


def _outcome_of_reading(sock: socket.socket) -> Outcome:
    """Tell a program that greets from a proxy that hangs up."""
    try:
        return "accepted" if sock.recv(1, socket.MSG_PEEK) else "refused"
    except OSError:
        return "refused"
