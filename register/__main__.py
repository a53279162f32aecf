"""docker-register: wire the actors together and run them."""

import logging
import signal
import sys
import time
import uuid
from collections.abc import Mapping, Sequence

from catalog.store import Store
from register import commands as planned
from register.docker.events import LOOP, STUCK_S, EventReader
from register.docker.source import DockerSource
from register.host.host import (
    Surroundings,
    host_id,
    host_ip,
    route_source,
    signs_of,
    surroundings,
    this_life,
)
from register.host.lease import KEEPALIVES_PER_TTL, LeaseKeeper, LeaseSettings, Registrar
from register.host.own_watch import OwnWatch
from register.host.owner import HostOwner, OwnerStatus, status_of
from register.publisher import WATCHED, Peers, Publisher, PublisherSettings
from register.ready.probe import Prober
from register.records.host_state import TURNED_WITHIN_S, Host, HostState
from register.records.own_keys import OwnKeys
from register.report import Report
from register.settings import RegisterSettings, settings_of
from sidecar import log, program
from sidecar.actors import Actor, run_group
from sidecar.status.health import Health
from sidecar.status.metrics import Metrics
from sidecar.status.server import status_server
from sidecar.stuck_loops import end_when_stuck
from sidecar.trigger import Trigger

NAME = "docker-register"
FACTS = ("host", "docker", "docker events", "etcd", "owner", "catalog")
STORE_DEADLINE_S = 3.0

logger = logging.getLogger(__name__)


def main() -> int:
    """Run docker-register and return its exit status."""
    return program.run(NAME, start)


def start(argv: Sequence[str], environ: Mapping[str, str]) -> None:
    """Run until asked to stop. Raises WrongSettings."""
    settings = settings_of(argv, environ)
    log.setup(settings.log_level, settings.log_format)
    if settings.command is not None:
        planned.run(settings, settings.command, surroundings())
        return
    log.announce(NAME, settings.shown)
    wired, keeper = actors(settings)
    asking = {
        signal.SIGUSR1: lambda: keeper.ask("drain"),
        signal.SIGUSR2: lambda: keeper.ask("undrain"),
    }
    run_group(wired, on_signal=asking)
    logger.info(
        "stopped; what is published stays for %s s, for the next life to adopt", settings.ttl_s
    )


def actors(settings: RegisterSettings) -> tuple[list[Actor], LeaseKeeper]:
    """Return all actors of the registrar, wired, and the one that takes requests."""
    trigger, state, metrics = Trigger(), HostState(), Metrics()
    facts = Health(stuck_after_s=TURNED_WITHIN_S)
    facts.expect(*FACTS)
    report = Report(state, facts, metrics)
    events = EventReader(_docker(settings), facts, trigger.fire)
    prober = Prober(lambda: trigger.fire("probe"))

    def on_lease() -> None:
        trigger.fire("lease")
        own_watch.begin()

    keeper = LeaseKeeper(
        Store(
            settings.access, deadline_s=settings.ttl_s / KEEPALIVES_PER_TTL
        ),  # an etcd may be slow, but not for ever
        state,
        LeaseSettings(settings.prefix, settings.ttl_s, settings.drain_wait_s),
        identify=lambda: identify(settings, surroundings()),
        health=facts,
        on_change=on_lease,
    )
    own_keys = OwnKeys(Store(settings.access, deadline_s=STORE_DEADLINE_S))
    own_watch = OwnWatch(
        settings.access,
        settings.prefix,
        state,
        on_change=own_keys.note_change,
        wake=lambda: trigger.fire(WATCHED),
        recheck_owner=keeper.recheck_owner,
        cap_s=settings.ttl_s / KEEPALIVES_PER_TTL,
    )
    rules = PublisherSettings(
        settings.prefix, settings.register, settings.zone, settings.resync_s, settings.ttl_s / 3
    )
    peers = Peers(events, prober, state, keeper.recheck_owner)
    publisher = Publisher(_docker(settings), own_keys, peers, rules, trigger, report)
    limits_s = {LOOP: STUCK_S, "publisher": 2 * TURNED_WITHIN_S, "lease": 2 * TURNED_WITHIN_S}
    wired = [
        end_when_stuck(limits_s, facts.last_turned),
        events.actor(),
        prober.actor(),
        keeper.actor(),
        own_watch.actor(),
        publisher.actor(),
    ]
    if settings.metrics is not None:
        wired.append(status_server(settings.metrics, facts, metrics, report.explain))
    return wired, keeper


def identify(settings: RegisterSettings, around: Surroundings) -> Registrar:
    """Return who this registrar is. Raises Unavailable without Docker or a route to etcd, WrongSettings for good."""
    source = _docker(settings)
    try:
        engine = source.engine()
        neighbours = source.neighbours()
    finally:
        source.close()
    ip = host_ip(settings.host_ip, route_source(settings.access.members), neighbours)
    host = Host(host_id(settings.host_id, around, engine), ip, engine.id)
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    mine = this_life(str(uuid.uuid4()), since, host, around)
    return Registrar(host, mine, lambda other: _status_of(settings, other, mine))


def _status_of(settings: RegisterSettings, other: HostOwner, mine: HostOwner) -> OwnerStatus:
    running = None
    if other.container is not None and other.engine == mine.engine:
        source = _docker(settings)
        try:
            running = source.is_running(other.container)
        finally:
            source.close()
    return status_of(other, mine, signs_of(other, mine, running))


def _docker(settings: RegisterSettings) -> DockerSource:
    return DockerSource(settings.docker_host, settings.docker_environ)


if __name__ == "__main__":
    sys.exit(main())
