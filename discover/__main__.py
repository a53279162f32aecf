"""docker-discover: the wiring, and nothing else."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.asking.inbox import Inbox
from discover.answering import Parts, Questions, speakers
from discover.apply.applier import Applier
from discover.apply.ask_suspects import AskSuspects
from discover.apply.listeners_file import ListenersFile
from discover.claims.hold_writer import HoldProblem, HoldWriter
from discover.claims.port_claimer import ClaimProblems, PortClaimer
from discover.explain import explained
from discover.following import journal, measured_starts
from discover.haproxy.host_ports import HostPorts
from discover.haproxy.ports import trial
from discover.haproxy.process import HAProxy
from discover.haproxy.watchers import watchers
from discover.model.proxy_config import Bind, HostPolicy, ProxyConfig
from discover.operator.file_watch import FileWatch
from discover.operator.snippets import SnippetFolder
from discover.operator.templates import Templates
from discover.overrides.overrides import Overrides
from discover.overriding import overrides_of
from discover.reconcile import Reconcile, Sources, as_it_is
from discover.settings import PROGRAM, TEMPLATE, DiscoverSettings, settings_of
from discover.snapshot.audit import Audit
from discover.snapshot.etcd_watch import CatalogWatch
from discover.snapshot.keeper import Keeper
from discover.snapshot.port_claims import AtDoor, Wanted, wanted
from discover.snapshot.saved_file import Found, SavedFile, SnapshotSaver
from discover.snapshot.saved_format import Origin
from discover.snapshot.snapshot import EMPTY, Snapshot
from discover.snapshot.state import started
from discover.stubs.debt_keeper import StubDebt
from discover.this_host import make_folders, pages_of, paths_of, policy_of
from sidecar import log, program
from sidecar.actors import Actor, run_group
from sidecar.status.health import Health
from sidecar.status.metrics import Metrics
from sidecar.status.problems import Problems
from sidecar.status.server import status_server
from sidecar.trigger import Trigger

if TYPE_CHECKING:
    from discover.operator.services_file import ServicesFile

logger = logging.getLogger(PROGRAM)

STUCK_S = 120.0  # a round may wait for HAProxy's check (30 s) and its reload (10 s), twice

Runs = Callable[[], ProxyConfig | None]


@dataclass(frozen=True, slots=True)
class Around:
    """What every part of the program is given."""

    settings: DiscoverSettings
    trigger: Trigger  # wakes the thread that applies
    metrics: Metrics
    health: Health

    @property
    def state_dir(self) -> Path:
        """Where files survive a restart."""
        return self.settings.state_dir


def main() -> None:
    """Run docker-discover and end with its exit status."""
    sys.exit(program.run(PROGRAM, start))


def start(argv: Sequence[str], environ: Mapping[str, str]) -> None:
    """Run until a signal; HAProxy goes on serving afterwards. Raises WrongSettings."""
    settings = settings_of(argv, environ)
    log.setup(settings.log_level, settings.log_format)
    if settings.command:
        # Only these need difflib and tempfile.
        from discover import commands  # noqa: PLC0415

        commands.run(settings, settings.command)
        return

    log.announce(PROGRAM, settings.shown)
    make_folders(settings)
    around = Around(settings, Trigger(), Metrics(), Health(stuck_after_s=STUCK_S))
    run_group(_actors(around))
    logger.info("stopped as asked, HAProxy keeps serving")


def _actors(around: Around) -> list[Actor]:
    """Return all actors, wired. The reader of each thing is made after the thing itself."""
    settings = around.settings
    haproxy = _haproxy(settings)
    snapshot_file = SavedFile(around.state_dir / "snapshot", _origin(settings))
    found = snapshot_file.load()
    keeper = _keeper(around, found)
    questions = Questions(settings.prefix, around.trigger.fire)
    watch, audit = _followers(around, keeper, snapshot_file, found, questions.inbox)
    services_file = _services_file(around)
    overrides = overrides_of(settings, watch, around.trigger)
    unclaimed = ClaimProblems(around.trigger)
    unheld = HoldProblem(around.trigger)
    stubs = StubDebt(haproxy.ask, around.state_dir / "stubs", around.metrics)
    problems = Problems()

    reconcile = Reconcile(
        _sources(settings, questions, overrides, keeper, services_file, unclaimed, unheld),
        Applier(haproxy, paths_of(settings).config, stop=threading.Event(), metrics=around.metrics),
        around.trigger,
        stubs=stubs,
        problems=problems,
        health=around.health,
    )

    def runs() -> ProxyConfig | None:
        return reconcile.running.config

    def explain() -> dict[str, Any]:
        shown = explained(reconcile.running, keeper, stubs, problems.current)
        return {**shown, "overrides": overrides.explained()}

    starts = measured_starts(settings, keeper, reconcile, around.metrics)
    told = (keeper, starts, stubs, overrides)
    parts = Parts(watch, reconcile, problems, around.health, haproxy, *told)
    actors = [
        reconcile.actor(),
        _port_claimer(settings, keeper, services_file, unclaimed, runs).actor(),
        _hold_writer(settings, keeper, unheld, runs).actor(),
        watch.actor(),
        audit.actor(),
        journal(settings, watch, keeper, reconcile, stubs, problems, around.metrics),
        *speakers(settings, questions, parts),
        AskSuspects(keeper, haproxy, around.trigger, lambda: reconcile.running).actor(),
        SnapshotSaver(keeper, snapshot_file).actor(),
        *(services_file.actors(around.trigger.fire) if services_file else ()),
        FileWatch(settings.template, "template", around.trigger.fire, (settings.snippets,)).actor(),
        *_watchers(around, haproxy),
    ]
    if settings.http_bind:
        # The pages need difflib and html.
        from discover.pages.server import PageFinder, pages  # noqa: PLC0415

        actors.append(pages(pages_of(settings), PageFinder(runs, reconcile.empty_since)))
    if settings.metrics:
        actors.append(status_server(settings.metrics, around.health, around.metrics, explain))
    return actors


def _haproxy(settings: DiscoverSettings) -> HAProxy:
    paths = paths_of(settings)
    haproxy = HAProxy(paths, binary=settings.haproxy, supervised=settings.supervised)
    # Before all else: a snapshot of 10,000 instances takes a while to read.
    if paths.config.exists() and not haproxy.answers():
        haproxy.start()
    return haproxy


def _origin(settings: DiscoverSettings) -> Origin:
    members = tuple(map(str, settings.access.members))
    return Origin(os.uname().nodename, settings.prefix, members)


def _keeper(around: Around, found: Found | None) -> Keeper:
    saved = found.saved if found else None
    return Keeper(
        started(saved.catalog, saved.suspects) if saved else None,
        had_file=paths_of(around.settings).config.exists(),
        changed=around.trigger,
        metrics=around.metrics,
    )


def _services_file(around: Around) -> "ServicesFile | None":
    path = around.settings.services
    if path is None:
        return None

    # It imports yaml, which takes memory only where there is such a file.
    from discover.operator.services_file import ServicesFile  # noqa: PLC0415

    return ServicesFile(path, around.state_dir / "services.good", around.health)


def _sources(
    settings: DiscoverSettings,
    questions: Questions,
    overrides: Overrides,
    keeper: Keeper,
    services_file: "ServicesFile | None",
    unclaimed: ClaimProblems,
    unheld: HoldProblem,
) -> Sources:
    def policy() -> HostPolicy:
        here = policy_of(settings, tapped=questions.tapped)
        return replace(here, unclaimed=unclaimed.why, unheld=unheld.why)

    state_dir = settings.state_dir
    return Sources(
        snapshot=keeper.snapshot,
        policy=policy,
        templates=Templates(settings.template, state_dir / "template.good.json", TEMPLATE),
        listeners_file=ListenersFile(state_dir / "listeners"),
        host_ports=HostPorts(state_dir / "host-ports"),
        outside=services_file.joined if services_file else as_it_is,
        snippets=SnippetFolder(settings.snippets).read,
        overrides=overrides,
    )


def _followers(
    around: Around, keeper: Keeper, snapshot_file: SavedFile, found: Found | None, inbox: Inbox
) -> tuple[CatalogWatch, Audit]:
    """Return what follows etcd for the keeper, from where an earlier life left off."""
    access, prefix = around.settings.access, around.settings.prefix
    watch = CatalogWatch(
        access,
        prefix,
        latest=found.saved.catalog if found else EMPTY,
        seen_s=found.seen_s if found else None,
        learned=keeper.leave,
        heard=keeper.confirm,
        health=around.health,
        inbox=inbox,
    )

    keeper.measure(watch.level)

    def confirmed() -> None:
        keeper.confirm()
        snapshot_file.touch()

    audit = Audit(
        access,
        prefix,
        latest=watch.listed,
        good=confirmed,
        resync=watch.resync,
        metrics=around.metrics,
    )
    return watch, audit


def _port_claimer(
    settings: DiscoverSettings,
    keeper: Keeper,
    services_file: "ServicesFile | None",
    unclaimed: ClaimProblems,
    runs: Runs,
) -> PortClaimer:
    """Return the claimer of ports: of none that this host uses, or cannot use."""
    addresses = (settings.stats, settings.metrics, settings.http_bind)
    own = {address[1] for address in addresses if address}

    def taken() -> Set[int]:
        config = runs()
        return own | {bind.port for bind in config.binds} if config else own

    def usable(port: int) -> bool:
        with trial(Bind(host, port) for host in policy_of(settings).hosts) as unusable:
            return not unusable

    outside = services_file.portless if services_file else frozenset
    door = AtDoor(settings.domain) if settings.http_bind else None

    def needed(catalog: Snapshot, stored: Snapshot) -> Wanted:
        return wanted(catalog, stored, outside(), door)

    return PortClaimer(
        settings.access,
        settings.prefix,
        settings.port_range,
        keeper=keeper,
        needed=needed,
        taken=taken,
        usable=usable,
        problems=unclaimed,
    )


def _hold_writer(
    settings: DiscoverSettings, keeper: Keeper, unheld: HoldProblem, runs: Runs
) -> HoldWriter:
    return HoldWriter(
        settings.access,
        settings.prefix,
        domain=settings.domain,
        ttl_s=settings.hold_ttl_s,
        keeper=keeper,
        runs=runs,
        problem=unheld,
    )


def _watchers(around: Around, haproxy: HAProxy) -> Sequence[Actor]:
    settings = around.settings
    return watchers(
        haproxy,
        paths_of(settings).master,
        settings.old_workers_mb,
        metrics=around.metrics,
        health=around.health,
        lost=around.trigger.fire,
    )


if __name__ == "__main__":
    main()
