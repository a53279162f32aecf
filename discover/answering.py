"""Wire what answers questions, and say what others have to know of this docker-discover."""

import contextlib
import functools
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from catalog.asking.ask import TAP
from catalog.asking.inbox import Inbox
from catalog.asking.journal import JOURNAL
from catalog.asking.presence import Presence
from catalog.asking.rendered import RENDER
from catalog.errors import Unavailable
from catalog.host_port import host_port
from catalog.version import VERSION
from discover.answers.answerers import Progress, Proxy, answerers
from discover.answers.condition import Lost, condition
from discover.answers.draining import with_overrides
from discover.answers.journal_pages import journal_answerer
from discover.answers.render_pages import render_answerer
from discover.answers.speaker import Here, Speaker
from discover.apply.rollout import Round
from discover.calls.ring import lines_of
from discover.calls.tap import Taps
from discover.following import journal_path
from discover.haproxy.process import HAProxy
from discover.host_model import here
from discover.latency.histogram import StartToApplied
from discover.overrides.overrides import Overrides
from discover.reconcile import Reconcile
from discover.settings import DiscoverSettings
from discover.snapshot.etcd_watch import CatalogWatch
from discover.snapshot.keeper import Keeper
from discover.stubs.debt_keeper import StubDebt
from discover.this_host import ADMIN_SOCKET, host_ids, policy_of
from sidecar.actors import Actor
from sidecar.status.health import Health
from sidecar.status.problems import Problems
from sidecar.trigger import Trigger

_VERSION = re.compile(r"^Version: (\S+)", re.MULTILINE)


class Questions:
    """The questions that stand: the watch fills the inbox, which wakes who answers."""

    def __init__(self, prefix: str, fire: Callable[[str], None]) -> None:
        self._fire = fire
        self.tapped = False  # whether somebody looks at calls that HAProxy does not log
        self.awake = Trigger()
        self.inbox = Inbox(prefix, lambda: self.awake.fire("asked"))

    def tap(self, is_tapped: bool) -> None:
        """Note whether HAProxy shall keep all calls for a moment; that takes a reload."""
        self.tapped = is_tapped
        self._fire("tapped" if is_tapped else "no longer tapped")

    def applied(self, _round: Round) -> None:
        """Wake who answers, if anybody asks: HAProxy may run another revision."""
        if self.inbox.is_asked:
            self.awake.fire("applied")


@dataclass(frozen=True, slots=True)
class Parts:
    """What is asked about."""

    watch: CatalogWatch
    reconcile: Reconcile
    problems: Problems
    health: Health
    haproxy: HAProxy
    keeper: Keeper
    latency: StartToApplied
    stubs: StubDebt
    overrides: Overrides


def speakers(settings: DiscoverSettings, questions: Questions, parts: Parts) -> tuple[Actor, Actor]:
    """Return the actor that tells of this host and answers, and the one that reads calls for it.

    HAProxy's progress wakes it.
    """
    lines = functools.partial(lines_of, settings.run_dir / ADMIN_SOCKET)
    taps = Taps(lambda: parts.reconcile.running, lines, questions.tap)
    proxy = Proxy(
        running=lambda: parts.reconcile.running,
        problems=lambda: parts.problems.current,
        progress=lambda: progress_of(parts),
        ask=parts.haproxy.ask,
        empty_since=parts.reconcile.empty_since,
        latency=parts.latency.facts,
        stubs=parts.stubs.explained,
        condition=lambda: _condition(parts),
    )
    keeper, told = parts.keeper, parts.overrides.told
    by_kind = {
        **with_overrides(answerers(proxy), proxy, lambda: keeper.state.view, told),
        JOURNAL: journal_answerer(journal_path(settings)),
        TAP: taps.answer,
        RENDER: render_answerer(proxy.running, lambda revision: _text_at(settings, revision)),
    }
    kinds = tuple(sorted(by_kind))
    version = _HAProxyVersion(parts.haproxy.ask)
    here = Here(
        host=lambda: _host(settings, parts.watch),
        presence=lambda: _presence(settings, parts.health, version, kinds),
    )
    parts.reconcile.followers.append(questions.applied)
    access, prefix = settings.access, settings.prefix
    telling = Speaker(access, prefix, here, by_kind, questions.inbox, questions.awake)
    return telling.actor(), taps.actor()


def _text_at(settings: DiscoverSettings, revision: int) -> str:
    # It needs difflib and tempfile, which nobody else here does.
    from discover.commands import text_at  # noqa: PLC0415

    return text_at(settings, revision)[0]


def progress_of(parts: Parts) -> Progress:
    """Return how far HAProxy is.

    Where nothing of what was seen last concerns it, it is as far as the watch.
    """
    applied = parts.watch.level(parts.reconcile.applied or 0)
    return Progress(applied, parts.watch.latest.revision, parts.health.not_ready())


def _condition(parts: Parts) -> Mapping[str, Any]:
    since_s: dict[str, list[float]] = {}
    for suspect in parts.keeper.state.suspects.values():
        since_s.setdefault(suspect.record.key.host, []).append(suspect.since_s)

    now_s = time.monotonic()
    lost = {host: Lost(len(each), round(now_s - min(each))) for host, each in since_s.items()}
    return condition(
        parts.problems.current,
        lost,
        parts.latency.facts(),
        frozen=bool(parts.keeper.state.frozen),
        clock_ms=round(1000 * time.time()),
    )


def _host(settings: DiscoverSettings, watch: CatalogWatch) -> str | None:
    """Return the id that this host's docker-register has, else the likeliest."""
    listed, ids = watch.listed(), host_ids(settings)
    if listed is None or not ids:
        return None

    own = next((id_ for id_ in ids if id_ in listed.owners), None)
    return own or min(here(listed, policy_of(settings)) & listed.owners.keys(), default=ids[0])


def _presence(
    settings: DiscoverSettings, health: Health, haproxy: Callable[[], str], kinds: tuple[str, ...]
) -> Presence:
    door = settings.http_bind
    return Presence(
        version=VERSION,
        haproxy=haproxy(),
        zone=settings.zone,
        listens=policy_of(settings).hosts,
        door=f"{door[0] or ''}:{door[1]}" if door else "",
        metrics=host_port(*settings.metrics) if settings.metrics else "",
        not_ready="; ".join(f"{what}: {why}" for what, why in health.not_ready().items()),
        kinds=kinds,
    )


class _HAProxyVersion:
    """HAProxy's version, asked for until it answered once."""

    def __init__(self, ask: Callable[[str], str]) -> None:
        self._ask = ask
        self._seen = ""

    def __call__(self) -> str:
        if not self._seen:
            with contextlib.suppress(Unavailable):
                match = _VERSION.search(self._ask("@1 show info"))
                self._seen = match[1] if match else ""
        return self._seen
