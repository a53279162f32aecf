"""What docker-discover answers: how far it is, what HAProxy runs, what HAProxy has counted."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from catalog.asking.answer import Answer
from catalog.asking.ask import APPLIED, COUNTERS, EXPLAIN, INTERCEPTS, SERVICES, STUBS
from catalog.asking.inbox import Standing
from catalog.asking.responder import Answerer, Found
from catalog.errors import Unavailable
from discover.answers.intercepts import intercepts_of
from discover.answers.proxy_facts import (
    Stats,
    all_listeners,
    counted,
    listener_row,
    listeners_about,
    questions,
    refused_about,
    rows_about,
    service_row,
    stats_of,
)
from discover.apply.running import Running
from discover.model.proxy_config import Listener
from sidecar.status.problems import Problem

# More listeners than that are asked for with one question.
MANY = 20
EVERYTHING = "@1 show stat -1 4 -1"
INFO = "@1 show info"
_UPTIME = re.compile(r"^Uptime_sec: (\d{1,9})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far this docker-discover is; `revision` is what HAProxy runs."""

    revision: int
    etcd_revision: int
    not_ready: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Proxy:
    """What is known of this host's HAProxy, and how to ask it."""

    running: Callable[[], Running]
    problems: Callable[[], Mapping[str, Problem]]
    progress: Callable[[], Progress]
    ask: Callable[[str], str]  # raises Unavailable
    stubs: Callable[[], Mapping[str, Mapping[str, Any]]] = dict  # by service, as in /explain
    latency: Callable[[], Mapping[str, Any]] = dict  # from a container's start to applied


def answerers(proxy: Proxy) -> Mapping[str, Answerer]:
    """Return an answerer for each kind of question."""
    return {
        APPLIED: lambda asked: _applied(proxy, asked),
        EXPLAIN: lambda asked: Found(_explained(proxy, asked.ask.what)),
        COUNTERS: lambda asked: Found(_counters(proxy, asked.ask.what)),
        INTERCEPTS: lambda asked: _intercepts(proxy, asked),
        SERVICES: lambda asked: Found(_services(proxy, is_lasting=bool(asked.ask.every_ms))),
        STUBS: lambda _asked: Found(_stubs(proxy)),
    }


def _applied(proxy: Proxy, asked: Standing) -> Found:
    """Answer with the revision; what was written before the question is waited for."""
    progress = proxy.progress()
    wanted = asked.ask.revision or asked.revision
    return Found(Answer(facts=_facts(progress)), progress.revision >= wanted)


def _intercepts(proxy: Proxy, asked: Standing) -> Found:
    """Answer with what HAProxy does of all that was written before the question."""
    progress = proxy.progress()
    answer = intercepts_of(proxy.running(), _facts(progress))
    return Found(answer, progress.revision >= asked.revision)


def _facts(progress: Progress) -> dict[str, Any]:
    return {
        "revision": progress.revision,
        "etcd_revision": progress.etcd_revision,
        "not_ready": dict(progress.not_ready),
    }


def _explained(proxy: Proxy, what: str) -> Answer:
    running = proxy.running()
    listeners = listeners_about(running, what)
    services = {listener.service for listener in listeners if listener.service != what}
    facts = _facts(proxy.progress()) | {
        "listeners": [listener_row(listener) for listener in listeners],
        "refused": list(refused_about(proxy.problems(), what, services)),
        "start_to_applied": dict(proxy.latency()),
    }
    if not listeners:
        return Answer("nothing", f"HAProxy runs nothing of {what}", facts)

    stats, why = _asked(proxy, listeners)
    rows = tuple(rows_about(running, listeners, what, stats))
    return Answer(text=why, facts=facts, rows=rows)


def _counters(proxy: Proxy, what: str) -> Answer:
    """Answer with what each server has counted since HAProxy's worker started."""
    running = proxy.running()
    listeners = listeners_about(running, what)
    facts = _facts(proxy.progress())
    if not listeners:
        return Answer("nothing", f"HAProxy runs nothing of {what}", facts)

    stats, why = _asked(proxy, listeners)
    if why:
        return Answer("failed", why, facts)

    # Another marker is another worker, which counts anew.
    facts["worker"] = running.worker.marker if running.worker else None
    rows = tuple(
        {
            **row,
            **counted(stats.get((_name(listeners, row), row["slot"]), {})),
        }
        for row in rows_about(running, listeners, what, stats)
    )
    return Answer(facts=facts, rows=rows)


def _services(proxy: Proxy, *, is_lasting: bool) -> Answer:
    """Answer with a short row for each service port: so that a thousand have room.

    Times are left out of an answer that is renewed when it changes: they would change it always.
    """
    running = proxy.running()
    listeners = all_listeners(running)
    facts = _facts(proxy.progress())
    stats, why = _asked(proxy, listeners) if listeners else ({}, "")
    if why:
        return Answer("failed", why, facts)

    if listeners and not is_lasting:
        facts["worker_s"] = _uptime_s(proxy)
    rows = [service_row(running, it, stats, with_since=not is_lasting) for it in listeners]
    return Answer(facts=facts, rows=tuple(rows))


def _uptime_s(proxy: Proxy) -> int:
    """Return for how long HAProxy's worker runs: it knows of nothing that was before."""
    try:
        found = _UPTIME.search(proxy.ask(INFO))
    except Unavailable:
        return 0
    return int(found[1]) if found else 0


def _stubs(proxy: Proxy) -> Answer:
    """Answer with a row for each service that only stubs answer for."""
    debts = sorted(proxy.stubs().items())
    rows = tuple({"service": service, **debt} for service, debt in debts)
    return Answer(facts=_facts(proxy.progress()), rows=rows)


def _name(listeners: Iterable[Listener], row: Mapping[str, Any]) -> str:
    found = (it.name for it in listeners if (it.service, it.port) == (row["service"], row["port"]))
    return next(found, "")


def _asked(proxy: Proxy, listeners: tuple[Listener, ...]) -> tuple[Stats, str]:
    """Return what HAProxy says of the servers of listeners, or why it does not answer."""
    asked = questions(listeners)
    if len(asked) > MANY:
        asked = (EVERYTHING,)
    try:
        return stats_of([proxy.ask(question) for question in asked]), ""
    except Unavailable as error:
        return {}, str(error)
