"""Report what the publisher did: log lines, problems, metrics, health, and /explain."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from catalog.entries import Entry, Put
from catalog.host_port import host_port
from catalog.records.record import Instance
from register.answers.container_facts import Known
from register.docker.container import Container
from register.docker.mount import STRANDED
from register.docker.source import ContainerList
from register.ready.readiness import Desired
from register.reasons import REASONS
from register.records.changes import Change
from register.records.host_state import HostState
from register.records.own_keys import instances_in
from sidecar.log import Details
from sidecar.status.health import Health
from sidecar.status.metrics import Metrics
from sidecar.status.problems import Problem, Problems

log = logging.getLogger(__name__)

_MEANINGS: Mapping[str, str] = {code: reason.meaning for code, reason in REASONS.items()}


class Report:
    """Only the publisher calls this; `explain` may be called from any thread.

    What containers did not start is another actor's to say.
    """

    def __init__(self, state: HostState, health: Health, metrics: Metrics) -> None:
        self._state = state
        self._health = health
        self._problems = Problems()
        self._not_started = Problems()
        self._entries: Mapping[str, Entry] = {}
        self._containers: tuple[Container, ...] | None = None  # None: nothing was decided yet
        self._instances: Mapping[str, Instance] = {}
        self.on_known: Callable[[], None] = lambda: None  # is told that `known` changed
        self._held: frozenset[str] = frozenset()

        self._lists = metrics.counter("register_lists", "Lists of all containers.", "outcome")
        self._changes = metrics.counter(
            "register_changes", "Records written or deleted in etcd.", "kind"
        )
        self._failures = metrics.counter(
            "register_write_failures", "Failed or conflicting transactions."
        )
        self._published = metrics.gauge("register_published", "Instances in the catalog.", "state")
        self._refused = metrics.gauge(
            "register_refused", "Ports and containers not in the catalog.", "code"
        )
        self._last = metrics.gauge(
            "register_last_success_timestamp_seconds", "Unix time of the last success.", "what"
        )

    def turned(self) -> None:
        """Report that the loop went round."""
        self._health.turned("publisher")

    def listed(self) -> None:
        """Report that the containers were listed."""
        self._lists.labels("good").inc()
        self._last.labels("list").set(time.time())
        self._health.good("docker")

    def stranded(self, *, is_mounted_alone: bool) -> None:
        """Report that nobody would start this container again."""
        if is_mounted_alone:
            log.warning(STRANDED)

    def no_list(self, why: str) -> None:
        """Report that the containers could not be listed."""
        self._lists.labels("failed").inc()
        self._health.bad("docker", why)

    def decided(self, wanted: Desired, listed: ContainerList) -> None:
        """Report what is refused, each problem once."""
        problems = dict(wanted.reasons) | dict(listed.refused)
        before = self._problems.current, self._containers
        self._problems.update(problems)
        self._containers = listed.containers
        if (problems, listed.containers) != before:
            self.on_known()

        self._refused.clear()
        for problem in problems.values():
            self._refused.labels(problem.code).inc()

    def holding(self, held: frozenset[str]) -> None:
        """Report that a mass removal waits for a second list."""
        if held and not self._held:
            shown = Details(missing=len(held))
            log.warning("most containers are missing from one list, listing again %s", shown)
        self._held = held

    def wrote(
        self, batch: tuple[Change, ...], before: Mapping[str, Entry], wanted: Desired
    ) -> None:
        """Report what one transaction changed."""
        replaced = [before[change.key] for change in batch if change.key in before]
        old = instances_in(replaced)

        for change in batch:
            now = wanted.instances[change.key] if isinstance(change, Put) else None
            self._changes.labels("put" if now else "delete").inc()
            _log_change(change.key, old.get(change.key), now, wanted.reasons)

    def not_written(self, why: str) -> None:
        """Report that a transaction failed; what it changed is not known."""
        self._failures.inc()
        self._health.bad("catalog", why)

    def published(self, entries: Mapping[str, Entry]) -> None:
        """Report that etcd holds what it should."""
        self._health.good("catalog")
        self._last.labels("write").set(time.time())
        if entries == self._entries:
            return

        self._entries = dict(entries)
        instances = instances_in(entries.values())
        states = [instance.state for instance in instances.values()]
        for state in ("ready", "draining"):
            self._published.labels(state).set(states.count(state))
        self._instances = instances
        self.on_known()

    def not_started(self, problems: Mapping[str, Problem]) -> None:
        """Report which containers the engine could not start. Called by another actor."""
        is_new = problems != self._not_started.current
        self._not_started.update(problems)
        if is_new:
            self.on_known()

    @property
    def known(self) -> Known | None:
        """What was decided last; None: nothing yet. For any thread."""
        if self._containers is None:
            return None
        return Known(self._containers, self._instances, self.refused)

    @property
    def refused(self) -> Mapping[str, Problem]:
        """All that is refused now."""
        return {**self._problems.current, **self._not_started.current}

    def explain(self) -> dict[str, Any]:
        """Return what is published and why the rest is not, for /explain."""
        host, lease = self._state.host, self._state.lease
        instances = instances_in(self._entries.values())

        return {
            "host": asdict(host) if host else None,
            "lease": f"{lease.id:x}" if lease else None,
            "drained": self._state.drained,
            "not_ready": dict(self._health.not_ready()),
            "published": [_shown(key, instances[key]) for key in sorted(instances)],
            "refused": {where: _explained(problem) for where, problem in self.refused.items()},
        }


def _shown(key: str, instance: Instance) -> dict[str, Any]:
    return {
        "key": key,
        "service": instance.service,
        "address": host_port(instance.address, instance.port),
        "service_port": instance.service_port,
        "state": instance.state,
        "role": instance.role,
        "container": instance.container_name,
        "container_port": instance.container_port,
    }


def _explained(problem: Problem) -> dict[str, str]:
    return {"code": problem.code, "text": problem.text, "meaning": _MEANINGS[problem.code]}


def _at(instance: Instance) -> str:
    return f"{instance.address}:{instance.port}"


def _log_change(
    key: str, before: Instance | None, now: Instance | None, reasons: Mapping[str, Problem]
) -> None:
    if before == now:
        log.debug("republished under a new lease %s", Details(key=key))
        return

    instance = now or before
    if instance is None:
        log.info("withdrawn %s", Details(key=key, why="unreadable"))
        return

    shown = Details(
        service=instance.service, container=instance.container_name, address=_at(instance)
    )
    if now is None:
        log.info("withdrawn %s", Details(**shown, why=_why(instance, reasons)))
    elif before is None or before.state != now.state:
        log.info("%s %s", "draining" if now.state == "draining" else "published", shown)
    else:
        log.info("changed %s", shown)


def _why(instance: Instance, reasons: Mapping[str, Problem]) -> str:
    port = f"{instance.container_name}:{instance.container_port}"
    for where in (port, instance.container_name):
        if where in reasons:
            return reasons[where].code
    return "gone"
