"""docker-discover: the wiring, and nothing else."""

import logging
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from discover import commands as preview
from discover.apply.applier import Applier
from discover.apply.listeners_file import ListenersFile
from discover.apply.upkeep import Upkeep
from discover.haproxy.guard import Guard
from discover.haproxy.ports import trial
from discover.haproxy.process import HAProxy
from discover.model.config import Bind, Listener, ProxyConfig
from discover.model.spare_backends import without_spares
from discover.operator.file_watch import FileWatch
from discover.operator.snippets import SnippetFolder
from discover.operator.templates import Templates
from discover.pages.server import PageFinder, pages
from discover.reconcile import Joining, Reconcile, Sources
from discover.settings import PROGRAM, TEMPLATE, DiscoverSettings, settings_of
from discover.snapshot.audit import Audit
from discover.snapshot.etcd_watch import CatalogWatch
from discover.snapshot.keeper import Keeper
from discover.snapshot.port_claimer import ClaimProblems, PortClaimer
from discover.snapshot.saved_file import SavedFile
from discover.snapshot.saved_format import Origin
from discover.snapshot.snapshot import EMPTY
from discover.snapshot.state import started
from discover.stubs.calls import StubDebt
from discover.this_host import pages_of, paths_of, policy_of
from sidecar import log, program
from sidecar.actors import Actor, run_group
from sidecar.options import WrongSettings
from sidecar.status.health import Health
from sidecar.status.metrics import Metrics
from sidecar.status.problems import Problems
from sidecar.status.server import status_server
from sidecar.trigger import Trigger

logger = logging.getLogger(PROGRAM)

STUCK_S = 120.0  # a round may wait for HAProxy's check (30 s) and its reload (10 s), twice


def main() -> None:
    """Run docker-discover and end with its exit status."""
    sys.exit(program.run(PROGRAM, start))


def start(argv: Sequence[str], environ: Mapping[str, str]) -> None:
    """Run until a signal; HAProxy goes on serving afterwards. Raises WrongSettings."""
    settings = settings_of(argv, environ)
    log.setup(settings.log_level, settings.log_format)
    if settings.command:
        preview.run(settings, settings.command)
        return
    log.announce(PROGRAM, settings.shown)
    _make_folders(settings)

    trigger, problems, metrics = Trigger(), Problems(), Metrics()
    state = Health(stuck_after_s=STUCK_S)
    haproxy = HAProxy(paths_of(settings), binary=settings.haproxy, supervised=settings.supervised)
    if paths_of(settings).config.exists() and not haproxy.answers():
        haproxy.start()  # before all else: a snapshot of 10,000 instances takes a while to read

    def runs() -> ProxyConfig | None:
        return reconcile.running.config

    keeper, knowing = _knowing(settings, haproxy, trigger, runs=runs, metrics=metrics, state=state)
    outside, portless, reading = _outside(settings, trigger, state)
    unclaimed = ClaimProblems(trigger)
    claimer = _claimer(settings, keeper, unclaimed, portless=portless, runs=runs)
    applier = Applier(haproxy, paths_of(settings).config, stop=threading.Event(), metrics=metrics)
    sources = _sources(settings, keeper, unclaimed, outside)
    stubs = StubDebt(haproxy.ask, settings.state_dir / "stubs", metrics)
    reconcile = Reconcile(sources, applier, trigger, stubs=stubs, problems=problems, health=state)
    actors = [
        reconcile.actor(),
        claimer.actor(),
        *knowing,
        *reading,
        FileWatch(settings.template, "template", trigger.fire, (settings.snippets,)).actor(),
        Guard(
            settings.run_dir / "master.sock",
            trigger.fire,
            health=state,
            mended=metrics.counter(
                "discover_haproxy_mends", "HAProxy found without an answer, and mended", "trouble"
            ),
        ).actor(),
    ]
    if settings.http_bind:
        actors.append(pages(pages_of(settings), PageFinder(runs, reconcile.empty_since)))
    if settings.metrics:
        explained = partial(_explained, reconcile, keeper, stubs, problems)
        actors.append(status_server(settings.metrics, state, metrics, explained))
    run_group(actors)
    logger.info("stopped as asked, HAProxy goes on serving")


def _knowing(
    settings: DiscoverSettings,
    haproxy: HAProxy,
    trigger: Trigger,
    *,
    runs: Callable[[], ProxyConfig | None],
    metrics: Metrics,
    state: Health,
) -> tuple[Keeper, list[Actor]]:
    """Return the keeper of what is known of the catalog, and the actors that feed it."""
    prefix = settings.prefix
    origin = Origin(platform.node(), prefix, tuple(map(str, settings.access.members)))
    file = SavedFile(settings.state_dir / "snapshot", origin)
    found = file.load()
    saved = found.saved if found else None
    now_s = time.monotonic()
    keeper = Keeper(
        started(saved.catalog, saved.suspects) if saved else None,
        had_file=paths_of(settings).config.exists(),
        changed=trigger,
        metrics=metrics,
    )

    def confirmed() -> None:
        keeper.confirm()
        file.touch()

    watch = CatalogWatch(
        settings.access,
        prefix,
        latest=saved.catalog if saved else EMPTY,
        seen_s=now_s - found.age_s if found else None,
        learned=keeper.leave,
        heard=keeper.confirm,
        health=state,
    )
    audit = Audit(
        settings.access,
        prefix,
        latest=watch.listed,
        good=confirmed,
        resync=watch.resync,
        metrics=metrics,
    )
    return keeper, [
        watch.actor(),
        Upkeep(keeper, haproxy, file, trigger, runs).actor(),
        audit.actor(),
    ]


def _outside(
    settings: DiscoverSettings, trigger: Trigger, state: Health
) -> tuple[Joining, Callable[[], Set[str]], list[Actor]]:
    """Return what adds the services of a file to the catalog, which of them name no port, and who follows that file."""
    if settings.services is None:
        return lambda snapshot: (snapshot, {}), frozenset, []
    from discover.operator.services_file import OutsideFile  # noqa: PLC0415  yaml takes memory only where it is used

    file = OutsideFile(settings.services, settings.state_dir / "services.good", state)
    return file.joined, file.portless, file.actors(trigger.fire)


def _claimer(
    settings: DiscoverSettings,
    keeper: Keeper,
    problems: ClaimProblems,
    *,
    portless: Callable[[], Set[str]],
    runs: Callable[[], ProxyConfig | None],
) -> PortClaimer:
    """Return who claims ports from PORT_RANGE: none that this host uses, or cannot use."""
    own = {
        address[1] for address in (settings.stats, settings.metrics, settings.http_bind) if address
    }

    def taken() -> Set[int]:
        config = runs()
        return own | {bind.port for bind in config.binds} if config else own

    def usable(port: int) -> bool:
        with trial(Bind(host, port) for host in policy_of(settings).hosts) as unusable:
            return not unusable

    return PortClaimer(
        settings.access,
        settings.prefix,
        settings.port_range,
        keeper=keeper,
        outside=portless,
        taken=taken,
        usable=usable,
        problems=problems,
    )


def _sources(
    settings: DiscoverSettings, keeper: Keeper, unclaimed: ClaimProblems, outside: Joining
) -> Sources:
    return Sources(
        snapshot=keeper.snapshot,
        policy=lambda: replace(policy_of(settings), unclaimed=unclaimed.why),
        templates=Templates(settings.template, settings.state_dir / "template.good.json", TEMPLATE),
        listeners_file=ListenersFile(settings.state_dir / "listeners"),
        outside=outside,
        snippets=SnippetFolder(settings.snippets).read,
    )


def _make_folders(settings: DiscoverSettings) -> None:
    for name, folder in (("STATE_DIR", settings.state_dir), ("RUN_DIR", settings.run_dir)):
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError as error:
            raise WrongSettings(
                [f"{name}: {folder} cannot be made: {error.strerror}; name another folder"]
            ) from error
        if not os.access(folder, os.W_OK):
            raise WrongSettings(
                [f"{name}: {folder} cannot be written to; name another folder, or run as root"]
            )


def _shown(listener: Listener) -> dict[str, Any]:
    """Return a listener, of its snippet only where it is written: there may be secrets in it."""
    return {
        **asdict(replace(listener, snippet=())),
        "snippet": [line.origin for line in listener.snippet],
    }


def _explained(
    reconcile: Reconcile, keeper: Keeper, stubs: StubDebt, problems: Problems
) -> dict[str, Any]:
    """Return what runs and what is refused, for /explain."""
    config = reconcile.running.config
    return {
        "revision": keeper.state.catalog.revision,
        **keeper.explained(),
        "stubs": stubs.explained(),
        "listeners": {item.name: _shown(item) for item in without_spares(config.listeners)}
        if config
        else {},
        "refused": {
            where: {"code": problem.code, "text": problem.text}
            for where, problem in problems.current.items()
        },
    }


if __name__ == "__main__":
    main()
