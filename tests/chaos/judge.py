"""Judge one round by the invariants I1 to I7 of the fault catalogue, and by what callers saw."""

import collections
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from catalog.keys import InstanceKey
from lab.etcd import Event
from lab.host import Host
from lab.process import LabError, run
from tests.chaos.calls import Called
from tests.chaos.fault import Fault
from tests.chaos.world import Measure, World
from tests.parts.fleet.invariants import Witness, deleted, reloads

WRITES_AT_ONCE, WRITES_EACH_S = (
    6,
    0.2,
)  # of one record (I6); docker-register's own bound is two in ten seconds
RELOADS_AT_ONCE, RELOADS_EACH_S = 10, 0.5  # of one HAProxy (I6)


@dataclass(slots=True)
class Round:
    """What was done in one round and what came of it."""

    number: int
    faults: list[Fault]
    seconds: float = 0.0
    well_s: float = 0.0  # from the mending until all was right
    calls: int = 0
    wrong: int = 0  # replies of another service
    lost: int = 0  # calls that the fault's description excuses
    longest_ms: float = 0.0
    measures: list[Measure] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


class Judge:
    """Opened before the fault; `verdict` after quiescence says what was broken."""

    def __init__(self, world: World, faults: Sequence[Fault]) -> None:
        self._world = world
        self._faults = faults
        self._revision = world.fleet.etcd.revision()
        self._reloads = {host.name: reloads(host) for host in world.fleet.hosts}

    def verdict(
        self, seen: Sequence[Called], watched: Sequence[Called], witness: Witness, done: Round
    ) -> Iterator[str]:
        """Name everything that must not be; the world is quiet and the calls have ended.

        Of the calls that were only watched nothing matters but who replied.
        """
        yield from _i1([*seen, *watched], done)
        yield from self._calls(seen, done)
        done.calls += sum(called.load.done() for called in watched)
        yield from _i2(self._world.fleet.hosts)
        yield from self._history(done.seconds)
        yield from (f"I6: {words}" for words in self._reload_rate(done.seconds))
        if not any(fault.new_store for fault in self._faults):
            yield from (
                f"I4: an applied revision went back: {words}" for words in witness.backwards()
            )
        left = witness.left_without_cause(excused=self._world.ended)
        yield from (f"I7: {words} went out of use without cause" for words in left)
        if len(self._faults) == 1:
            yield from _measures(done, self._faults[0].well_s)

    def _calls(self, seen: Sequence[Called], done: Round) -> Iterator[str]:
        """Every lost call needs an excuse that covers host, mode and time."""
        for called in seen:
            done.calls += called.load.done()
            done.longest_ms = max(done.longest_ms, called.load.longest_ms())
            unexcused: collections.Counter[str] = collections.Counter()
            for began_ns, how in called.lost():
                excuses = [
                    e
                    for e in self._world.excuses
                    if called.host in e.hosts and called.service.mode in e.modes
                ]
                if any(excuse.since_ns <= began_ns <= excuse.until_ns for excuse in excuses):
                    done.lost += 1
                else:
                    unexcused[how] += 1
            if unexcused:
                whose = f"calls of {called.service.name} from {called.host}"
                yield f"{whose} were lost: {dict(unexcused)}"

    def _history(self, seconds: float) -> Iterator[str]:
        """I5 and I6, from etcd's own memory."""
        if any(fault.new_store for fault in self._faults):
            return
        try:
            history = self._world.fleet.etcd.history(self._revision)
        except LabError:
            return  # compacted meanwhile
        history = [event for event in history if _host_of(event) in self._reloads]
        if not any(fault.loses_records for fault in self._faults):
            ended = {container[:12] for container in self._world.ended}
            gone = [
                key
                for key in deleted(history)
                if not (isinstance(key, InstanceKey) and key.container in ended)
            ]
            yield from (f"I5: deleted without cause: {key}" for key in gone)
        yield from _write_rate(history, seconds)

    def _reload_rate(self, seconds: float) -> Iterator[str]:
        most = RELOADS_AT_ONCE + RELOADS_EACH_S * seconds
        for host in self._world.fleet.hosts:
            if (count := reloads(host) - self._reloads[host.name]) > most:
                yield f"{count} reloads on {host.name} in {seconds:.0f} s"


def _host_of(event: Event) -> str:
    """Return the host that a key names; one that is not of the fleet is chaos's own invention."""
    return event.key.partition("/hosts/")[2].partition("/")[0]


def _i1(seen: Sequence[Called], done: Round) -> Iterator[str]:
    for called in seen:
        for how, count in called.wrong().items():
            done.wrong += count
            yield f"I1: {called.service.name} from {called.host}: {count} x {how}"


def _i2(hosts: Sequence[Host]) -> Iterator[str]:
    """The file passes HAProxy's own check, and its marker is the one that the running worker
    shows.
    """
    for host in hosts:
        file = host.state_dir / "haproxy.cfg"
        try:
            run("haproxy", "-c", "-q", "-f", str(file))
        except LabError as error:
            yield f"I2: {host.name}: {error}"
        try:
            written, running = (
                _find(r"description (\S+)", file.read_text),
                _find(r"description: (\S+)", _info(host)),
            )
        except OSError as error:
            yield f"I2: {host.name}: {error}"
            continue
        if written != running:
            yield f"I2: {host.name}: the file has marker {written}, the worker runs {running}"


def _info(host: Host) -> Callable[[], str]:
    return lambda: host.ask_haproxy("show info")


def _find(pattern: str, read: Callable[[], str]) -> str:
    found = re.search(pattern, read())
    return found[1] if found else "none"


def _write_rate(history: Sequence[Event], seconds: float) -> Iterator[str]:
    most = WRITES_AT_ONCE + WRITES_EACH_S * seconds
    writes = collections.Counter(event.key for event in history if "/instances/" in event.key)
    yield from (
        f"I6: {count} writes of {key} in {seconds:.0f} s"
        for key, count in writes.items()
        if count > most
    )


def _measures(done: Round, well_s: float) -> Iterator[str]:
    done.measures.append(Measure("all is well", done.well_s, well_s))
    for each in done.measures:
        if each.seconds > each.bound_s:
            yield f"bound: {each.what} after {each.seconds:.2f} s, and may take {each.bound_s:g} s"
