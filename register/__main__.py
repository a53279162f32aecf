"""docker-register: wire the actors together and run them."""

import logging
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from catalog.asking.inbox import Inbox
from catalog.store import Store
from register import commands
from register.answers.ask_watch import AskWatch
from register.answers.speaker import Speaker
from register.docker.connection import Connection
from register.docker.event_reader import LOOP, STUCK_S, EventReader
from register.host.identity import read_surroundings
from register.host.lease import LeaseKeeper, LeaseSettings
from register.host.next_life import DeadMount
from register.host.own_watch import OwnWatch
from register.ports.events import PortEvents
from register.ports.writer import HostPorts
from register.publisher import WATCHED, Peers, Publisher, PublisherSettings
from register.ready.probe import Prober
from register.records.host_state import TURNED_WITHIN_S, HostState
from register.records.own_keys import OwnKeys
from register.registrar import docker_source, identify
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
        commands.run(settings, settings.command, read_surroundings())
        return

    log.announce(NAME, settings.shown)
    wired, keeper = actors(settings)
    on_signal = {
        signal.SIGUSR1: lambda: keeper.ask("drain"),
        signal.SIGUSR2: lambda: keeper.ask("undrain"),
    }
    run_group(wired, on_signal=on_signal)
    logger.info(
        "stopped; published instances stay for %s s, so that the next start can adopt them",
        settings.ttl_s,
    )


def actors(settings: RegisterSettings) -> tuple[list[Actor], LeaseKeeper]:
    """Return all actors of the registrar, wired, and the one that takes requests."""
    state, metrics = HostState(), Metrics()
    facts = Health(stuck_after_s=TURNED_WITHIN_S)
    facts.expect(*FACTS)
    report = Report(state, facts, metrics)

    publish, watch = Trigger(), Trigger()
    dead_mount = DeadMount(settings.docker_host, state)

    def on_lost() -> None:
        if dead_mount.is_final(time.monotonic()):
            keeper.leave()

    host_ports = _host_ports(settings, state, report)
    port_events = PortEvents(_engine(settings), host_ports.note)
    events = EventReader(docker_source(settings), facts, publish.fire, on_lost)
    prober = Prober(lambda: publish.fire("probe"))

    awake, inbox = _questions(settings, report)

    def on_lease() -> None:
        awake.fire("lease")
        publish.fire("lease")
        watch.fire("lease")
        host_ports.wake("lease")

    keeper = _lease_keeper(settings, state, facts, on_lease)
    own_keys = OwnKeys(Store(settings.access, deadline_s=STORE_DEADLINE_S))
    own_watch = OwnWatch(
        settings.access,
        settings.prefix,
        state,
        watch,
        on_change=own_keys.note_change,
        wake=lambda: publish.fire(WATCHED),
        recheck_owner=keeper.recheck_owner,
        cap_s=settings.longest_pause_s,
    )
    peers = Peers(events, prober, state, keeper.recheck_owner)
    publisher = Publisher(
        docker_source(settings), own_keys, peers, _publisher_settings(settings), publish, report
    )

    limits_s = {LOOP: STUCK_S, "publisher": 2 * TURNED_WITHIN_S, "lease": 2 * TURNED_WITHIN_S}
    wired = [
        end_when_stuck(limits_s, facts.last_turned),
        events.actor(),
        prober.actor(),
        keeper.actor(),
        own_watch.actor(),
        host_ports.actor(),
        port_events.actor(),
        publisher.actor(),
        *_answering(settings, state, report, inbox, awake),
    ]
    if settings.metrics is not None:
        wired.append(status_server(settings.metrics, facts, metrics, report.explain))
    return wired, keeper


def _lease_keeper(
    settings: RegisterSettings, state: HostState, facts: Health, on_lease: Callable[[], None]
) -> LeaseKeeper:
    lease_settings = LeaseSettings(settings.prefix, settings.ttl_s, settings.drain_wait_s)
    return LeaseKeeper(
        # An etcd may be slow, but not for ever.
        Store(settings.access, deadline_s=lease_settings.every_s),
        state,
        lease_settings,
        identify=lambda: identify(settings, read_surroundings()),
        health=facts,
        on_change=on_lease,
    )


def _engine(settings: RegisterSettings) -> Connection:
    return Connection(settings.docker_host, settings.docker_environ)


def _host_ports(settings: RegisterSettings, state: HostState, report: Report) -> HostPorts:
    return HostPorts(
        settings.access,
        settings.prefix,
        _engine(settings),
        state,
        told=report.not_started,
        resync_s=settings.resync_s,
        cap_s=settings.longest_pause_s,
    )


def _questions(settings: RegisterSettings, report: Report) -> tuple[Trigger, Inbox]:
    """Return what wakes who answers: a question, or another decision; and the questions."""
    awake = Trigger()
    report.on_known = lambda: awake.fire("known")
    return awake, Inbox(settings.prefix, lambda: awake.fire("asked"))


def _answering(
    settings: RegisterSettings, state: HostState, report: Report, inbox: Inbox, awake: Trigger
) -> tuple[Actor, Actor]:
    """Return who hears questions, and who answers them."""
    access, prefix, cap_s = settings.access, settings.prefix, settings.longest_pause_s
    speaker = Speaker(access, prefix, state, lambda: report.known, inbox, awake, cap_s=cap_s)
    return AskWatch(access, prefix, inbox, cap_s=cap_s).actor(), speaker.actor()


def _publisher_settings(settings: RegisterSettings) -> PublisherSettings:
    return PublisherSettings(
        settings.prefix,
        settings.register,
        settings.zone,
        settings.resync_s,
        retry_cap_s=settings.longest_pause_s,
        compose_names=settings.compose_names,
        own_container=read_surroundings().container,
        reserved_ports=settings.reserved_ports,
    )


if __name__ == "__main__":
    sys.exit(main())
