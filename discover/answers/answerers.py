"""What docker-discover answers: how far it is, what HAProxy runs and has counted, what is so."""

import contextlib
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.asking.answer import Answer
from catalog.asking.ask import (
    APPLIED,
    CONDITION,
    COUNTERS,
    EXPLAIN,
    INTERCEPTS,
    SERVICES,
    STUBS,
    UNTIL,
)
from catalog.asking.goal import ANY, FOR, Goal, goal_of
from catalog.asking.inbox import Standing
from catalog.asking.responder import Answerer, Found
from catalog.errors import Rejected, Unavailable
from discover.answers.intercepts import intercept_rows, intercepts_of
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
from discover.answers.until import (
    Name,
    left_in,
    names_of,
    needs_states,
    old_workers,
    refused_of,
    row_of,
)
from discover.apply.running import Running
from discover.model.empty_services import Empty
from discover.model.proxy_config import Listener
from sidecar.status.problems import Problem

# More listeners than that are asked for with one question.
MANY = 20
EVERYTHING = "@1 show stat -1 4 -1"
INFO = "@1 show info"
_UPTIME = re.compile(r"^Uptime_sec: (\d{1,9})$", re.MULTILINE)
# How often HAProxy is looked at while somebody waits for its states; it tells of no change itself.
LOOK_S = 0.05
LOOK_AT_MANY_S = 0.5
# How often where a round of reconcile wakes, as something may come without one.
CALM_S = 1.0


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
    empty_since: Callable[[Listener], Empty | None] = lambda _listener: None
    latency: Callable[[], Mapping[str, Any]] = dict  # from a container's start to applied
    condition: Callable[[], Mapping[str, Any]] = dict


def answerers(proxy: Proxy) -> Mapping[str, Answerer]:
    """Return an answerer for each kind of question."""
    return {
        APPLIED: lambda asked: _applied(proxy, asked),
        EXPLAIN: lambda asked: Found(_explained(proxy, asked.ask.what)),
        COUNTERS: lambda asked: Found(_counters(proxy, asked.ask.what)),
        INTERCEPTS: lambda asked: _intercepts(proxy, asked),
        SERVICES: lambda asked: Found(_services(proxy, is_lasting=bool(asked.ask.every_ms))),
        CONDITION: lambda _asked: Found(_condition(proxy)),
        STUBS: lambda _asked: Found(_stubs(proxy)),
        UNTIL: lambda asked: _until(proxy, asked),
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
    named = {listener.service for listener in listeners}
    services = named - {what}
    facts = _facts(proxy.progress()) | {
        "intercepts": [row for row in intercept_rows(running) if row["service"] in named],
        "listeners": [_listener_row(proxy, listener) for listener in listeners],
        "refused": list(refused_about(proxy.problems(), what, services)),
        "start_to_applied": dict(proxy.latency()),
    }
    if not listeners:
        return Answer("nothing", f"HAProxy runs nothing of {what}", facts)

    stats, why = _asked(proxy, listeners)
    rows = tuple(rows_about(running, listeners, what, stats))
    return Answer(text=why, facts=facts, rows=rows)


def _listener_row(proxy: Proxy, listener: Listener) -> Mapping[str, Any]:
    """Return what is known of a listener; of one without instances, for how long it has none."""
    empty = None if listener.servers else proxy.empty_since(listener)
    if empty is None:
        return listener_row(listener)

    last = empty.listener.servers[-1].endpoint if empty.listener.servers else ""
    empty_s = int(time.monotonic() - empty.since_s)
    return {**listener_row(listener), "empty_s": empty_s, "last": last}


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


def _until(proxy: Proxy, asked: Standing) -> Found:
    """Answer whether it is so here of each name, once all before the question is applied."""
    try:
        goal = goal_of(asked.ask.arguments.get(FOR, "ready"))
    except Rejected as error:
        return Found(Answer("failed", str(error)))
    if goal.kind == "revision":
        return Found(Answer("failed", f"a revision is asked for as {APPLIED}"))

    progress, running = proxy.progress(), proxy.running()
    names = names_of(running, asked.ask.names)
    listeners = tuple({id(it): it for name in names for it in name.listeners}.values())
    stats: Stats = {}
    why, look_s = "", CALM_S
    if needs_states(goal, names):
        stats, why = _asked(proxy, listeners)
        look_s = LOOK_S if len(listeners) <= MANY else LOOK_AT_MANY_S
    if why:
        return Found(Answer("failed", why), is_final=False, look_s=look_s, news=why)

    is_current = progress.revision >= asked.revision
    rows = [
        {**row, "is": row["is"] and is_current, "refused": refused}
        for row, refused in _rows_until(proxy, running, goal, names, stats)
    ]
    so = [row["is"] for row in rows]
    news = tuple((row["is"], *(it["code"] for it in row["refused"])) for row in rows)
    return Found(
        Answer(facts=_facts(progress), rows=tuple(rows)),
        is_final=any(so) if asked.ask.arguments.get(ANY) else all(so),
        look_s=look_s if is_current else LOOK_S,
        news=news,
    )


def _rows_until(
    proxy: Proxy, running: Running, goal: Goal, names: Sequence[Name], stats: Stats
) -> Iterator[tuple[Mapping[str, Any], list[Mapping[str, str]]]]:
    problems = proxy.problems()
    left = left_in(_old_tables(proxy), names, running) if goal.kind == "idle" else {}
    for name in names:
        yield row_of(running, goal, name, stats, left.get(name.text, 0)), refused_of(problems, name)


def _old_tables(proxy: Proxy) -> Iterator[str]:
    """Yield what each old worker says of its servers."""
    with contextlib.suppress(Unavailable):
        for worker in old_workers(proxy.ask("show proc")):
            yield proxy.ask(f"@!{worker} show stat -1 4 -1")


def _condition(proxy: Proxy) -> Answer:
    """Answer with how all of it is; that HAProxy does not answer is one more fact."""
    services = _services(proxy, is_lasting=False)
    facts = {**services.facts, **proxy.condition(), "haproxy": services.text}
    return Answer(facts=facts, rows=services.rows)


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
