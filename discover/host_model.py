"""The model of a snapshot on this host: new ports are tried before HAProxy is asked for them."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path

from catalog.records.host_ports import HostPort
from discover.haproxy.host_ports import HostPorts, Said
from discover.haproxy.ports import has_address, trial
from discover.intercepts.wanted import NO_OVERRIDES, Overrides, intercepted, leading
from discover.model.build import BuildMemo, build
from discover.model.empty_services import (
    EmptyServices,
    with_empty_services,
    with_held_routes,
)
from discover.model.ownership import Listening
from discover.model.proxy_config import Bind, HostPolicy, Listener, ProxyConfig
from discover.snapshot.belongs import Holds
from discover.snapshot.snapshot import Snapshot
from sidecar.status.problems import Problem

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Model:
    """The services with instances as listeners, what is refused, and unusable addresses."""

    config: ProxyConfig
    problems: Mapping[str, Problem]
    unusable: Mapping[Bind, str]
    holds: Holds
    overrides: Overrides = NO_OVERRIDES

    def with_empty(self, services: EmptyServices) -> ProxyConfig:
        """Return the model and the empty services, as far as those can be listened on."""
        usable: list[Listener] = []

        for listener in services.listeners():
            binds = tuple(bind for bind in listener.binds if bind not in self.unusable)
            if binds or listener.routes:
                usable.append(replace(listener, binds=binds))

        config = with_held_routes(with_empty_services(self.config, usable), self.holds)
        return intercepted(config, self.overrides)


@functools.cache
def _boot_id() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def here(snapshot: Snapshot, policy: HostPolicy) -> Set[str]:
    """Return the ids of this host: those set or guessed, or of a registrar that runs here.

    One runs here if it has this kernel's boot and its address: several hosts can share a kernel.
    """
    running_here = {
        host
        for host, owner in snapshot.owners.items()
        if owner.host_ip and owner.boot_id == _boot_id() and has_address(owner.host_ip)
    }
    return policy.location.hosts | running_here


class HostModel:
    """Builds models. Used by the reconcile actor alone."""

    def __init__(
        self, policy: Callable[[], HostPolicy], empty_services: EmptyServices, host_ports: HostPorts
    ) -> None:
        self._policy = policy
        self._host_ports = host_ports
        self._empty_services = empty_services
        self._built = BuildMemo()

    def yielded(self, snapshot: Snapshot) -> Mapping[Bind, str]:
        """Return where HAProxy must not listen now, for containers of its own host."""
        policy = self._policy()
        ports: list[HostPort] = []
        owner = None
        is_told = False
        for host in sorted(here(snapshot, policy)):
            if host in snapshot.owners:
                owner = snapshot.owners[host].created
            if host in snapshot.host_ports:
                ports += snapshot.host_ports[host]
                is_told = True
        return self._host_ports.yielded(Said(tuple(ports) if is_told else None, owner), policy)

    @contextlib.contextmanager
    def of(
        self, snapshot: Snapshot, listening: Listening, yielded: Mapping[Bind, str]
    ) -> Iterator[Model]:
        """Give the model of a snapshot; its new ports stay reserved inside `with`.

        What HAProxy listens on already is not tried: a trial would only find HAProxy itself. Nor
        is what is `yielded` to containers of this host: it may be free at this moment.
        """
        policy = replace(self._policy(), unusable=yielded)
        config, problems = build(snapshot, policy, self._built, listening)

        empty = self._empty_services.listeners()
        new = with_empty_services(config, empty).binds - listening.binds - yielded.keys()
        recalled = self._host_ports.recalled(new)
        draining = config.only_draining(new)

        with trial(new - draining - recalled.keys()) as taken:
            leaving = dict.fromkeys(draining, "its only instances are draining")
            unusable = {**taken, **recalled, **leaving, **yielded}
            if len(unusable) > len(yielded):
                policy = replace(policy, unusable=unusable)
                config, problems = build(snapshot, policy, self._built, listening)

            self._host_ports.note({**taken, **recalled})
            overrides = _overrides(snapshot, here(snapshot, policy))
            yield Model(config, problems, unusable, snapshot.holds, overrides)


def _overrides(snapshot: Snapshot, hosts_here: Set[str]) -> Overrides:
    """Return what leads calls elsewhere on this host, and which of it leads to the pair's hosts."""
    found = leading(snapshot.overrides, hosts_here)
    hosts = {owner.host_ip for owner in snapshot.owners.values()} if found else set()
    addresses = {override.endpoint[0] for _key, override in found}
    own = frozenset(each for each in addresses if each in hosts or has_address(each))
    return Overrides(found, own)
