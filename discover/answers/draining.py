"""Answer what draining leaves to callers, and say of other answers which override counts."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from catalog.asking.answer import Answer
from catalog.asking.ask import EXPLAIN, OVERRIDES, SERVICES
from catalog.asking.inbox import Standing
from catalog.asking.responder import Answerer, Found
from catalog.errors import Unavailable
from discover.answers.answerers import EVERYTHING, MANY, Proxy
from discover.answers.overridden import concerned, instances_on, rows_left, target_of
from discover.answers.proxy_facts import Stats, all_listeners, questions, stats_of
from discover.answers.until import old_workers
from discover.model.proxy_config import Listener
from discover.snapshot.snapshot import Snapshot

# What is told of overrides: by service, then by instance.
Told = Callable[[], Mapping[str, Mapping[str, str]]]


def with_overrides(
    others: Mapping[str, Answerer], proxy: Proxy, view: Callable[[], Snapshot], told: Told
) -> Mapping[str, Answerer]:
    """Return the answerers, with one for OVERRIDES; some of the others tell of overrides too."""
    return {
        **others,
        EXPLAIN: lambda asked: _told_of_instances(others[EXPLAIN](asked), told()),
        SERVICES: lambda asked: _told_of_services(others[SERVICES](asked), told()),
        OVERRIDES: lambda asked: _left(proxy, view(), asked),
    }


def _told_of_instances(found: Found, told: Mapping[str, Mapping[str, str]]) -> Found:
    def with_text(row: Mapping[str, object]) -> Mapping[str, object]:
        text = told.get(str(row.get("service")), {}).get(str(row.get("instance")))
        return {**row, "override": text} if text else row

    rows = tuple(with_text(row) for row in found.answer.rows)
    return found._replace(answer=replace(found.answer, rows=rows))


def _told_of_services(found: Found, told: Mapping[str, Mapping[str, str]]) -> Found:
    def with_text(row: Mapping[str, object]) -> Mapping[str, object]:
        texts = sorted(set(told.get(str(row.get("service")), {}).values()))
        return {**row, "override": "; ".join(texts[:2])} if texts else row

    rows = tuple(with_text(row) for row in found.answer.rows)
    return found._replace(answer=replace(found.answer, rows=rows))


def _left(proxy: Proxy, view: Snapshot, asked: Standing) -> Found:
    """Answer once HAProxy runs all that was written before the question."""
    progress, running = proxy.progress(), proxy.running()
    target = target_of(asked.ask.arguments)
    on_host = instances_on(view, target.host) if target.host else frozenset[str]()
    servers = concerned(running, target, on_host)
    listeners = tuple(it for it in all_listeners(running) if it.name in servers)

    is_current = progress.revision >= asked.revision
    facts = {"revision": progress.revision, "etcd_revision": progress.etcd_revision}
    try:
        stats, old = _stats(proxy, listeners), list(_old(proxy)) if listeners else []
    except Unavailable as error:
        return Found(Answer("failed", str(error), facts), is_current)
    rows = tuple(rows_left(running, listeners, servers, stats, old))
    return Found(Answer(facts=facts, rows=rows), is_current)


def _stats(proxy: Proxy, listeners: tuple[Listener, ...]) -> Stats:
    asked = questions(listeners)
    if len(asked) > MANY:
        asked = (EVERYTHING,)
    return stats_of([proxy.ask(question) for question in asked])


def _old(proxy: Proxy) -> Iterator[Stats]:
    """Yield the tables of old workers; one that ends meanwhile has no connection left."""
    for pid in old_workers(proxy.ask("show proc")):
        with contextlib.suppress(Unavailable):
            yield stats_of([proxy.ask(f"@!{pid} show stat -1 4 -1")])
