"""Many registrars in one process, on real connections to etcd, without an engine."""

import threading
import uuid
from collections.abc import Callable
from pathlib import Path

from catalog.store import Store
from register.docker.event_reader import EventReader
from register.docker.hints import Hints
from register.docker.parse import parse_inspect
from register.docker.source import ContainerList, DockerSource
from register.host.acquire import KEEPALIVES_PER_TTL
from register.host.identity import Registrar, Surroundings, this_life
from register.host.lease import LeaseKeeper, LeaseSettings
from register.host.own_watch import OwnWatch
from register.publisher import WATCHED, Peers, Publisher, PublisherSettings
from register.ready.probe import Prober
from register.ready.readiness import Target
from register.records.host_state import Host, HostState
from register.records.own_keys import OwnKeys
from register.report import Report
from sidecar.status.health import Health
from sidecar.status.metrics import Metrics
from sidecar.trigger import Trigger
from tests.parts.etcd import Etcd
from tests.parts.register import PREFIX
from tests.parts.scripted_engine import inspected


class _Source(DockerSource):
    """An engine whose containers never change."""

    def __init__(self, count: int) -> None:
        super().__init__("", {})
        self.show(count)

    def show(self, count: int) -> None:
        self._seen = ContainerList(
            tuple(parse_inspect(inspected(number)) for number in range(1, count + 1)), {}
        )

    def containers(
        self, hints: Hints, *, everything: bool, turned: Callable[[], None] = lambda: None
    ) -> ContainerList:
        return self._seen


class _Prober(Prober):
    """Nothing has to be probed: every container has a HEALTHCHECK."""

    def __init__(self) -> None:
        self.results = {}

    def set_targets(self, targets: tuple[Target, ...]) -> None: ...


class One:
    """One registrar: three threads, three connections."""

    def __init__(self, etcd: Etcd, number: int, instances: int, ttl_s: int) -> None:
        self.state, self.health, self.trigger = HostState(), Health(stuck_after_s=60), Trigger()
        self.watch = Trigger()
        trigger = self.trigger
        host = Host(f"host-{number}", f"10.1.{number // 250}.{number % 250 + 1}", "e1")
        me = this_life(
            str(uuid.uuid4()), "", host, Surroundings(None, False, None, host.id), Path("/proc")
        )
        self.keeper = LeaseKeeper(
            Store(etcd.access, deadline_s=ttl_s / KEEPALIVES_PER_TTL),
            self.state,
            LeaseSettings(PREFIX, ttl_s, drain_wait_s=1),
            identify=lambda: Registrar(
                host, me, lambda other: "over" if other.life == me.life else "alive"
            ),
            health=self.health,
            on_change=self._on_lease,
        )
        self.own_keys = OwnKeys(Store(etcd.access))
        self.own_watch = OwnWatch(
            etcd.access,
            PREFIX,
            self.state,
            self.watch,
            on_change=self.own_keys.note_change,
            wake=lambda: trigger.fire(WATCHED),
            recheck_owner=self.keeper.recheck_owner,
            cap_s=ttl_s / KEEPALIVES_PER_TTL,
        )
        rules = PublisherSettings(PREFIX, "published", "", 30, ttl_s / 3)
        self.source = _Source(instances)
        events = EventReader(
            self.source, self.health, lambda _action: None
        )  # never runs: no event comes
        peers = Peers(events, _Prober(), self.state, self.keeper.recheck_owner)
        report = Report(self.state, self.health, Metrics())
        self.publisher = Publisher(self.source, self.own_keys, peers, rules, trigger, report)
        self.actors = (self.keeper, self.own_watch, self.publisher)
        self.threads = [threading.Thread(target=actor.run) for actor in self.actors]

    def _on_lease(self) -> None:
        self.trigger.fire("lease")
        self.watch.fire("lease")

    def show(self, count: int) -> None:
        """Let there be so many containers from now on."""
        self.source.show(count)
        self.trigger.fire("start")

    @property
    def lease(self) -> int:
        lease = self.state.lease
        return lease.id if lease else 0

    @property
    def settled(self) -> bool:
        """Whether all it has stands in etcd under the lease that it holds."""
        lease = self.state.lease
        return (
            lease is not None
            and self.state.published_under == lease
            and "catalog" not in self.health.not_ready()
        )


class Herd:
    """So many registrars, which run as long as it is entered."""

    def __init__(self, etcd: Etcd, count: int, instances: int, ttl_s: int) -> None:
        self.all = [One(etcd, number, instances, ttl_s) for number in range(count)]

    def __enter__(self) -> "Herd":
        for one in self.all:
            for thread in one.threads:
                thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.all:
            for actor in one.actors:
                actor.interrupt()
        for one in self.all:
            for thread in one.threads:
                thread.join(20)

    def settled(self) -> int:
        """Return how many have all they want in etcd."""
        return sum(one.settled for one in self.all)

    def leases(self) -> list[int]:
        return [one.lease for one in self.all]
