"""Make etcd hold what the containers offer: list, decide, write. The loop of docker-register."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from catalog.errors import Unavailable
from catalog.keys import instances_root
from catalog.values.reserved_ports import NONE, PortSet
from register.docker.event_reader import EventReader
from register.docker.source import ContainerList, DockerSource
from register.offer.instances import OfferSettings, RegisterMode
from register.offer.naming import ComposeNames
from register.offer.offers import Offers
from register.ready.crash_loop import History, followed
from register.ready.probe import Prober
from register.ready.readiness import (
    Desired,
    Findings,
    InstanceKeys,
    Started,
    desired,
    on_drained_host,
    proven,
)
from register.ready.removals import HeldRemovals, held_removals, missing_keys
from register.records.host_state import LISTED_WITHIN_S, Host, HostState
from register.records.own_keys import OwnKeys, instances_in
from register.report import Report
from register.schedule import Schedule
from register.writer import Writer
from sidecar.actors import Actor
from sidecar.bucket import Bucket, Rate
from sidecar.retry import keep_running
from sidecar.trigger import Trigger

# A burst of events is one round; an event that comes alone waits for nothing.
QUIET_S = 0.005
AT_MOST_S = 0.05
WATCHED = "own keys"
# Wake-ups that need no new list. `kill` and `die` concern a container that the last list has, and a
# list made at that moment would not show them yet. The events that always follow a death (stop,
# disconnect, start) bring a list.
NEED_NO_LIST = frozenset({"probe", "lease", "kill", "die", WATCHED})
# Changes that others make to our keys are read, and so repaired, at most so often: a program that
# goes on changing them wins, at little cost.
REREADS = Rate(1.0, 3)


@dataclass(frozen=True, slots=True)
class PublisherSettings:
    """What the settings decide about publishing."""

    prefix: str
    register: RegisterMode
    zone: str
    resync_s: float
    retry_cap_s: float
    compose_names: ComposeNames = "service"
    own_container: str | None = None
    reserved_ports: PortSet = NONE


@dataclass(frozen=True, slots=True)
class Peers:
    """The other actors, as far as the publisher needs them.

    `recheck_owner` makes the lease keeper look who owns the host.
    """

    events: EventReader
    prober: Prober
    state: HostState
    recheck_owner: Callable[[], None]


class Publisher:
    """The only actor that publishes; whatever fires the trigger wakes it."""

    def __init__(
        self,
        source: DockerSource,
        own_keys: OwnKeys,
        peers: Peers,
        settings: PublisherSettings,
        trigger: Trigger,
        report: Report,
    ) -> None:
        self._source = source
        self._own_keys = own_keys
        self._peers = peers
        self._settings = settings
        self._trigger = trigger
        self._report = report
        self._host_state = peers.state
        self._stop = threading.Event()

        self._schedule = Schedule(settings.resync_s)
        self._writer = Writer(
            own_keys, self._host_state, self._schedule, report, peers.recheck_owner
        )
        self._offers = Offers()
        self._rereads = Bucket(REREADS)

        self._listed: ContainerList | None = None
        self._histories: Mapping[str, History] = {}
        self._held = HeldRemovals()
        self._proven: frozenset[Started] | None = None  # None: etcd was not read yet
        self._is_complete = False  # the last round wrote all that it had to
        self._ended_s = 0.0  # the last round

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
            cap_s=self._settings.retry_cap_s,
            on_lost=self._failed,
        )

    def _failed(self, _why: str) -> None:
        self._own_keys.forget()
        self._is_complete = False
        self._turned()

    def _session(self) -> None:
        while not self._stop.is_set():
            reasons = self._woken()
            self._turned()

            is_our_own_write = reasons == {WATCHED} and not self._own_keys.are_doubtful()
            if not self._stop.is_set() and not is_our_own_write:
                self._round(reasons)
            self._ended_s = time.monotonic()

    def _turned(self) -> None:
        self._host_state.turned_s = time.monotonic()
        self._report.turned()

    def _woken(self) -> frozenset[str]:
        """Wait for a reason to go round, and return all that have come."""
        if not self._is_complete:
            return frozenset({"again"})

        timeout_s = self._schedule.timeout_s(time.monotonic(), self._held.due_s)
        reasons = self._trigger.wait(timeout_s)
        in_burst = time.monotonic() - self._ended_s < AT_MOST_S
        if set(reasons) - NEED_NO_LIST and in_burst:
            reasons += self._trigger.settle(QUIET_S, AT_MOST_S)
        return frozenset(reasons)

    def _round(self, reasons: frozenset[str]) -> None:
        now_s = time.monotonic()
        is_resync = self._schedule.is_resync_due(now_s)
        self._forget_doubtful_keys(now_s, is_resync=is_resync)

        held_due_s = self._held.due_s
        is_held_due = held_due_s is not None and now_s >= held_due_s
        is_owed = self._schedule.is_list_due(now_s)
        news = reasons - NEED_NO_LIST
        if is_resync or is_held_due or is_owed or (news and not self._took_start(news)):
            self._list(now_s, is_resync=is_resync, is_silent=not (reasons or is_owed))

        self._is_complete = True
        self._publish_listed()
        if self._own_keys.are_doubtful():
            self._schedule.no_later_than(now_s + self._rereads.wait_s(now_s))

    def _forget_doubtful_keys(self, now_s: float, *, is_resync: bool) -> None:
        if is_resync:
            # Somebody may have changed them without an event; reading costs no write.
            self._own_keys.forget()
        elif self._own_keys.are_doubtful() and not self._rereads.wait_s(now_s):
            self._rereads.spend(now_s)
            self._own_keys.forget()

    def _took_start(self, news: frozenset[str]) -> bool:
        """Take in what started, if nothing else happened: what it offers waits for no list."""
        events = self._peers.events
        if news != {"start"} or self._listed is None:
            return False
        listed = self._source.with_started(events.take_started(), events.hints)
        if listed is None:
            return False

        now_s = time.monotonic()
        self._listed = listed
        self._histories = followed(self._histories, listed.containers, now_s)
        self._schedule.inspected_alone(now_s)
        return True

    def _list(self, now_s: float, *, is_resync: bool, is_silent: bool) -> None:
        """List the containers; `is_silent`: no event asked for it."""
        everything = is_resync and self._schedule.is_inspect_due(now_s)
        self._schedule.list_s = None
        self._peers.events.take_started()  # a list has them
        try:
            listed = self._containers(everything=everything)
        except Unavailable:
            # An engine that is away must not keep out of etcd what the lease still vouches for.
            if now_s - self._host_state.listed_s <= LISTED_WITHIN_S:
                self._publish_listed()
            raise

        if is_silent and self._listed and _starts(listed) != _starts(self._listed):
            # Something changed and no event came: the stream may be dead.
            self._peers.events.reopen()
        self._host_state.listed_s = time.monotonic()
        self._listed = listed
        self._note_policy(listed)
        self._histories = followed(self._histories, listed.containers, self._host_state.listed_s)
        if is_resync:
            self._schedule.resynced(now_s, everything=everything)

    def _note_policy(self, listed: ContainerList) -> None:
        """Note whether the engine would start this container again, and warn if it would not."""
        before, own = self._host_state.comes_back, self._settings.own_container
        policies = [found.is_restarted for found in listed.containers if found.id == own]
        self._host_state.comes_back = policies[0] if policies else before

        if self._host_state.comes_back is False and before is not False:
            self._report.stranded(is_mounted_alone=self._source.is_mounted_alone)

    def _containers(self, *, everything: bool) -> ContainerList:
        hints = self._peers.events.hints
        try:
            listed = self._source.containers(hints, everything=everything, turned=self._turned)
        except Unavailable as error:
            self._report.no_list(str(error))
            raise

        self._report.listed()
        return listed

    def _publish_listed(self) -> None:
        if self._listed and (host := self._host_state.host):
            self._publish(self._listed, host, time.monotonic())

    def _publish(self, listed: ContainerList, host: Host, now_s: float) -> None:
        """Decide what etcd shall hold, and write what differs if the host's lease is held."""
        settings, hints = self._settings, self._peers.events.hints
        keys = InstanceKeys(settings.prefix, host.id)
        offer_settings = OfferSettings(
            host.ip,
            settings.register,
            settings.zone,
            listed.bridges,
            settings.compose_names,
            settings.reserved_ports,
        )
        offers = self._offers.of(listed.containers, hints, offer_settings)

        lease, drained = self._host_state.lease, self._host_state.drained
        entries = None
        if lease is not None:
            entries = self._own_keys.read(instances_root(settings.prefix, host.id))
            if self._proven is None:
                published = instances_in(entries.values())
                self._proven = proven(offers, keys, published, host.ip)

        proven_before = self._proven or frozenset()
        findings = Findings(self._peers.prober.results, proven_before, self._histories)
        wanted = desired(offers, keys, findings, host.ip, now_s)
        if drained is not None:
            wanted = on_drained_host(wanted, drained)
        self._announce(wanted, listed, is_drained=drained is not None)

        if lease is not None and entries is not None:
            missing = missing_keys(entries, wanted.instances, listed, hints)
            # By the list's own time: only another list can confirm what one has shown.
            self._held = held_removals(self._held, missing, len(entries), self._host_state.listed_s)
            self._report.holding(self._held.keys)
            records = self._offers.records(wanted.instances)
            self._writer.write(lease, entries, records, self._held.keys, wanted)

    def _announce(self, wanted: Desired, listed: ContainerList, *, is_drained: bool) -> None:
        """Let all who depend on it know what was decided."""
        self._schedule.decide_s = wanted.due_s
        self._peers.prober.set_targets(wanted.targets)
        self._report.decided(wanted, listed)
        if is_drained:
            self._report.published({})


def _starts(listed: ContainerList) -> frozenset[tuple[str, int]]:
    return frozenset((container.id, container.started_ns) for container in listed.containers)
