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

SHOWN = 2  # of the overrides of one service
Row = Mapping[str, object]
# What is told of overrides: by service, then by instance.
Texts = Mapping[str, Mapping[str, str]]
Told = Callable[[], Texts]


def with_overrides(
    others: Mapping[str, Answerer], proxy: Proxy, view: Callable[[], Snapshot], told: Told
) -> Mapping[str, Answerer]:
    """Return the answerers, with one for OVERRIDES; some of the others tell of overrides too."""
    return {
        **others,
        EXPLAIN: lambda asked: _with_texts(others[EXPLAIN](asked), told(), _of_instance),
        SERVICES: lambda asked: _with_texts(others[SERVICES](asked), told(), _of_service),
        OVERRIDES: lambda asked: _left(proxy, view(), asked),
    }


def _of_instance(row: Row, told: Texts) -> str:
    return told.get(str(row.get("service")), {}).get(str(row.get("instance")), "")


def _of_service(row: Row, told: Texts) -> str:
    texts = set(told.get(str(row.get("service")), {}).values())
    return "; ".join(sorted(texts)[:SHOWN])


def _with_texts(found: Found, told: Texts, text_of: Callable[[Row, Texts], str]) -> Found:
    """Return what was found, each row with what an override says of it, if one does."""
    rows = []
    for row in found.answer.rows:
        text = text_of(row, told)
        rows.append({**row, "override": text} if text else row)

    return found._replace(answer=replace(found.answer, rows=tuple(rows)))


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
