"""docker-discover: the wiring, and nothing else."""

import grp
import logging
import os
import pwd
import resource
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from discover.addresses import bridge_gateway
from discover.apply import Applier
from discover.guard import Guard
from discover.haproxy import HAProxy, Paths
from discover.model import Bind, Policy, Process
from discover.reconcile import Reconcile, Sources
from discover.settings import PROGRAM, DiscoverSettings, settings_of
from discover.template import Templates
from discover.template_watch import TemplateWatch
from discover.watch import CatalogWatch
from sidecar import health, log, program
from sidecar.actors import run_group
from sidecar.metrics import Metrics
from sidecar.options import WrongSettings
from sidecar.problems import Problems
from sidecar.trigger import Trigger

logger = logging.getLogger(PROGRAM)

HAPROXY_USER = "haproxy"  # what Debian's package creates
MAXCONN = 10_000
# HAProxy takes two descriptors a connection; as many again are left twice over for the checks of servers and for
# listeners, or it would refuse to start once there are many.
DESCRIPTORS_PER_CONNECTION = 6
STUCK_S = 120.0  # a round may wait for HAProxy's check (30 s) and its reload (10 s), twice


def main() -> None:
    """Run docker-discover and end with its exit status."""
    sys.exit(program.run(PROGRAM, start))


def start(argv: Sequence[str], environ: Mapping[str, str]) -> None:
    """Run until a signal; HAProxy goes on serving afterwards. Raises WrongSettings."""
    settings = settings_of(argv, environ)
    log.setup(settings.log_level, settings.log_format)
    log.announce(PROGRAM, settings.shown)
    _make_folders(settings)

    trigger, problems, metrics = Trigger(), Problems(), Metrics()
    state = health.Health(stuck_after_s=STUCK_S)
    watch = CatalogWatch(settings.access, settings.prefix, changed=trigger.fire, health=state)
    reconcile = _reconcile(settings, watch, trigger, problems=problems, metrics=metrics, state=state)
    actors = [
        reconcile.actor(),
        watch.actor(),
        TemplateWatch(settings.template, trigger.fire).actor(),
        Guard(settings.run_dir / "master.sock", trigger.fire).actor(),
    ]
    if settings.metrics:
        actors.append(health.server(settings.metrics, state, metrics, lambda: _explained(reconcile, watch, problems)))
    run_group(actors)
    logger.info("stopped as asked, HAProxy goes on serving")


def _reconcile(
    settings: DiscoverSettings,
    watch: CatalogWatch,
    trigger: Trigger,
    *,
    problems: Problems,
    metrics: Metrics,
    state: health.Health,
) -> Reconcile:
    config = settings.state_dir / "haproxy.cfg"
    paths = Paths(config, settings.run_dir / "master.sock", settings.run_dir / "haproxy.pid")
    haproxy = HAProxy(paths, binary=settings.haproxy, supervised=settings.supervised)
    sources = Sources(
        snapshot=lambda: watch.latest,
        policy=lambda: _policy(settings),
        templates=Templates(settings.template, settings.state_dir / "template.good.j2"),
    )
    applier = Applier(haproxy, config, stop=threading.Event(), metrics=metrics)
    return Reconcile(sources, applier, trigger, problems=problems, health=state)


def _policy(settings: DiscoverSettings) -> Policy:
    user, group = _user()
    process = Process(
        stats=Bind(*settings.stats) if settings.stats else None,
        admin_socket=str(settings.run_dir / "admin.sock"),
        maxconn=_maxconn(),
        user=user,
        group=group,
    )
    return Policy(process, settings.hosts or _default_hosts(), unusable={})


def _default_hosts() -> tuple[str, ...]:
    """Return loopback for programs on this host, and the bridge's gateway for programs in containers."""
    gateway = bridge_gateway()
    return ("127.0.0.1", gateway) if gateway else ("127.0.0.1",)


def _user() -> tuple[str | None, str | None]:
    """Return whom HAProxy's workers become; nobody else when we are not root or there is no such user."""
    try:
        group = grp.getgrgid(pwd.getpwnam(HAPROXY_USER).pw_gid).gr_name
    except KeyError:
        return None, None
    return (HAPROXY_USER, group) if os.geteuid() == 0 else (None, None)


def _maxconn() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return MAXCONN
    return max(100, min(MAXCONN, hard // DESCRIPTORS_PER_CONNECTION))


def _make_folders(settings: DiscoverSettings) -> None:
    for name, folder in (("STATE_DIR", settings.state_dir), ("RUN_DIR", settings.run_dir)):
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError as error:
            raise WrongSettings([f"{name}: {folder} cannot be made: {error.strerror}; name another folder"]) from error
        if not os.access(folder, os.W_OK):
            raise WrongSettings([f"{name}: {folder} cannot be written to; name another folder, or run as root"])


def _explained(reconcile: Reconcile, watch: CatalogWatch, problems: Problems) -> dict[str, Any]:
    """Return what runs and what is refused, for /explain."""
    config, snapshot = reconcile.config, watch.latest
    return {
        "revision": snapshot.revision if snapshot else None,
        "listeners": {item.name: asdict(item) for item in config.listeners} if config else {},
        "refused": {where: {"code": problem.code, "text": problem.text} for where, problem in problems.current.items()},
    }


if __name__ == "__main__":
    main()
