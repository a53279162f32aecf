"""Make etcd hold what the containers offer: list, decide, write the difference. The only owner of what is published."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from catalog.entries import Entry
from catalog.errors import Conflict, Full, Unavailable
from catalog.keys import CONTAINER_SHORT, instances_root
from register.docker.events import EventReader
from register.docker.hints import Hints
from register.docker.source import ContainerList, DockerSource
from register.host.drain import set_aside
from register.offer.instances import Policy, Register
from register.offer.offers import Offers
from register.ready.crash_loop import Life, followed
from register.ready.probe import Prober
from register.ready.readiness import Desired, Keys, Known, Started, desired, proven
from register.ready.removals import Held, held_back
from register.records.changes import Change, Changes, batches, diff
from register.records.host_state import LISTED_WITHIN_S, Host, HostLease, HostState
from register.records.own_keys import OwnKeys, instances_in
from register.report import Report
from sidecar.actors import Actor
from sidecar.bucket import Bucket, Rate
from sidecar.retry import jitter, keep_running
from sidecar.trigger import Trigger

QUIET_S, AT_MOST_S = (
    0.005,
    0.05,
)  # a burst of events is one round; an event that comes alone waits for nothing
INSPECT_ALL_S = (
    300.0  # the list shows every change that Docker has a word for; this is for what it might not
)
FULL_S = (
    10.0  # an etcd without space is asked to take a put at most so often; somebody has to make room
)
TURN_S = 10.0  # the loop goes round at least so often, so that a stuck one can be told
# Wake-ups that a list would not explain. The two events say what no list says at that moment, about a start of the
# container that the last list shows; those that always follow a death (stop, disconnect, start) bring a list.
WATCHED = "own keys"
UNLISTED = frozenset({"probe", "lease", "kill", "die", WATCHED})
# Reading anew what somebody changed in etcd, and so repairing it: one who goes on changing it wins, at little cost.
REREADS = Rate(1.0, 3)
# How fast one registrar writes, in transactions, so that a hundred of them together do not bury etcd. One settles a
# burst of events and holds up to 100 changes, so this delays only a host gone mad.
WRITES = Rate(10.0, 20)
# After the lease was lost everything has to be put again, most likely by every host at the same time: a hundred
# hosts of two transactions each then stay below a hundred writes a second, even if none had waited at random before.
WRITES_AGAIN = Rate(1.0, 1)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings tell the publisher."""

    prefix: str
    register: Register
    zone: str
    resync_s: float
    retry_cap_s: float


@dataclass(frozen=True, slots=True)
class Around:
    """The other actors, as far as the publisher asks them. `on_conflict` is called when a fence did not hold."""

    events: EventReader
    prober: Prober
    state: HostState
    on_conflict: Callable[[], None]


@dataclass(slots=True)
class _Memory:
    """What lasts from one round to the next."""

    seen: ContainerList | None = None
    lives: Mapping[str, Life] = field(default_factory=dict)
    trusted: frozenset[Started] | None = (
        None  # None: what an earlier life published was not read yet
    )
    held: Held = field(default_factory=Held)
    resync_s: float = 0.0  # when everything is compared again
    inspect_s: float = 0.0  # when every container is looked at from near again
    decide_s: float | None = None  # when the last list has to be judged anew
    ended_s: float = 0.0  # the last round
    complete: bool = False  # it wrote all it had to
    full_until_s: float = 0.0  # etcd takes no put: not tried again before

    def look_again(self, at_s: float) -> None:
        """Go round at this time, if not before."""
        self.decide_s = min(at_s, self.decide_s or at_s)


class Publisher:
    """The registrar's main loop; whatever fires the trigger wakes it."""

    def __init__(
        self,
        source: DockerSource,
        own_keys: OwnKeys,
        around: Around,
        rules: Rules,
        trigger: Trigger,
        report: Report,
    ) -> None:
        self._source, self._own_keys, self._around = source, own_keys, around
        self._rules, self._trigger, self._report = rules, trigger, report
        self._stop = threading.Event()
        self._memory, self._offers = _Memory(), Offers()
        self._writes = Bucket(WRITES)
        self._writes_again = Bucket(WRITES_AGAIN)
        self._rereads = Bucket(REREADS)

    def actor(self) -> Actor:
        """Return the actor that publishes."""
        return Actor("publisher", self.run, self.interrupt)

    def interrupt(self) -> None:
        """Make `run` return. Nothing is withdrawn: this process's end is no container's end."""
        self._stop.set()
        self._trigger.fire("stop")
        self._own_keys.close()

    def run(self) -> None:
        """Publish until interrupted."""
        keep_running(
            self._session,
            name="publisher",
            stop=self._stop,
            cap_s=self._rules.retry_cap_s,
            on_lost=self._failed,
        )

    def _failed(self, _why: str) -> None:
        self._own_keys.forget()
        self._memory.complete = False
        self._turned()

    def _session(self) -> None:
        while not self._stop.is_set():
            reasons = self._woken()
            self._turned()
            echo = reasons == {WATCHED} and not self._own_keys.are_doubtful()  # of our own writes
            if not self._stop.is_set() and not echo:
                self._round(reasons)
            self._memory.ended_s = time.monotonic()

    def _turned(self) -> None:
        self._around.state.turned_s = time.monotonic()
        self._report.turned()

    def _woken(self) -> frozenset[str]:
        """Wait for a reason to go round, and return all that have come."""
        if not self._memory.complete:
            return frozenset({"again"})
        reasons = self._trigger.wait(self._timeout_s(time.monotonic()))
        in_burst = time.monotonic() - self._memory.ended_s < AT_MOST_S
        if set(reasons) - UNLISTED and in_burst:
            reasons += self._trigger.settle(QUIET_S, AT_MOST_S)
        return frozenset(reasons)

    def _timeout_s(self, now_s: float) -> float:
        times = (
            now_s + TURN_S,
            self._memory.resync_s,
            self._memory.decide_s,
            self._memory.held.due_s,
        )
        return max(0.0, min(at for at in times if at is not None) - now_s)

    def _round(self, reasons: frozenset[str]) -> None:
        now_s = time.monotonic()
        resync = now_s >= self._memory.resync_s
        held_due_s = self._memory.held.due_s
        if resync:
            self._own_keys.forget()  # somebody may have changed them behind our back: reading costs no write
        elif self._own_keys.are_doubtful() and not self._rereads.wait_s(now_s):
            self._rereads.spend(now_s)
            self._own_keys.forget()
        if resync or reasons - UNLISTED or (held_due_s is not None and now_s >= held_due_s):
            everything = resync and now_s >= self._memory.inspect_s
            try:
                self._list(self._around.events.hints, everything=everything, silent=not reasons)
            except Unavailable:
                # An engine that is away must not keep out of etcd what the lease still vouches for.
                if now_s - self._around.state.listed_s <= LISTED_WITHIN_S:
                    self._publish_seen()
                raise
            self._memory.inspect_s = now_s + INSPECT_ALL_S if everything else self._memory.inspect_s
            self._memory.resync_s = (
                now_s + self._rules.resync_s if resync else self._memory.resync_s
            )
        self._memory.complete = True
        self._publish_seen()
        if self._own_keys.are_doubtful():
            self._memory.look_again(now_s + self._rereads.wait_s(now_s))

    def _publish_seen(self) -> None:
        if self._memory.seen and (host := self._around.state.host):
            self._publish(self._memory.seen, host, time.monotonic())

    def _list(self, hints: Hints, *, everything: bool, silent: bool) -> None:
        try:
            seen = self._source.containers(hints, everything=everything, turned=self._turned)
        except Unavailable as error:
            self._report.no_list(str(error))
            raise
        now_s = time.monotonic()
        self._report.listed()
        if silent and self._memory.seen and _starts(seen) != _starts(self._memory.seen):
            self._around.events.reopen()  # something changed and no event told: the stream may be dead
        self._around.state.listed_s = now_s
        self._memory.seen = seen
        self._memory.lives = followed(self._memory.lives, seen.containers, now_s)

    def _publish(self, seen: ContainerList, host: Host, now_s: float) -> None:
        memory, hints = self._memory, self._around.events.hints
        keys = Keys(self._rules.prefix, host.id)
        offers = self._offers.of(
            seen.containers, hints, Policy(host.ip, self._rules.register, self._rules.zone)
        )
        lease, drained = self._around.state.lease, self._around.state.drained
        entries = (
            self._own_keys.read(instances_root(self._rules.prefix, host.id)) if lease else None
        )
        if entries is not None and memory.trusted is None:
            memory.trusted = proven(offers, keys, instances_in(entries.values()), host.ip)
        known = Known(self._around.prober.verdicts, memory.trusted or frozenset(), memory.lives)
        wanted = set_aside(desired(offers, keys, known, host.ip, now_s), drained)
        memory.decide_s = wanted.due_s
        self._around.prober.aim(wanted.targets)
        self._report.decided(wanted, seen)
        if drained:
            self._report.published({})
        if lease is not None and entries is not None:
            missing = _missing(entries, wanted, seen, hints)
            # By the list's own time: only another list can confirm what one has said.
            memory.held = held_back(memory.held, missing, len(entries), self._around.state.listed_s)
            self._write(lease, entries, wanted)

    def _write(self, lease: HostLease, entries: Mapping[str, Entry], wanted: Desired) -> None:
        changes = diff(entries, self._offers.records(wanted.instances), lease.id)
        held = self._memory.held.keys
        changes = Changes(
            changes.puts, tuple(change for change in changes.deletes if change.key not in held)
        )
        self._report.holding(held)
        published_under = self._around.state.published_under
        writes = (
            self._writes_again if lease.replaces_lost and published_under != lease else self._writes
        )
        for batch in batches(self._possible(changes)):
            if wait_s := writes.wait_s(time.monotonic()):
                self._memory.look_again(time.monotonic() + wait_s)
                return
            writes.spend(time.monotonic())
            self._write_batch(batch, lease)
            self._report.wrote(batch, entries, wanted)
        if self._memory.full_until_s:
            return
        self._report.published(self._own_keys.entries or {})
        self._around.state.published_under = lease

    def _possible(self, changes: Changes) -> Changes:
        """Leave the puts out while etcd is full."""
        if time.monotonic() < self._memory.full_until_s:
            self._memory.look_again(self._memory.full_until_s)
            return replace(changes, puts=())
        self._memory.full_until_s = 0.0
        return changes

    def _write_batch(self, batch: tuple[Change, ...], lease: HostLease) -> None:
        try:
            self._own_keys.write(batch, lease)
        except (Unavailable, Conflict) as error:
            self._report.not_written(str(error))
            if isinstance(error, Full):
                self._memory.full_until_s = time.monotonic() + FULL_S + jitter(FULL_S / 2)
            else:
                self._around.on_conflict()
            raise Unavailable(str(error)) from error


def _starts(seen: ContainerList) -> frozenset[tuple[str, int]]:
    return frozenset((container.id, container.started_ns) for container in seen.containers)


def _missing(
    entries: Mapping[str, Entry], wanted: Desired, seen: ContainerList, hints: Hints
) -> list[str]:
    """Return the keys whose container a list does not show although nothing told of its end."""
    listed = {container.id[:CONTAINER_SHORT] for container in seen.containers}
    died = {id_[:CONTAINER_SHORT] for id_, hint in hints.by_container.items() if hint.died_ns}
    gone = {
        key: key.rpartition("/")[2].partition(":")[0]
        for key in entries
        if key not in wanted.instances
    }
    return [key for key, container in gone.items() if container not in listed | died]
