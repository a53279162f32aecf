"""What is other at one moment than at another, by what etcd had or what journals say. No I/O."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from catalog.records.difference import difference
from catalog.records.record import Instance
from ctl.past.merge import Change
from ctl.view.published import Published

COLUMNS = {
    "table": ("what", "service", "instance", "host", "detail"),
    "wide": ("what", "service", "instance", "host", "detail", "container", "address"),
}
_OF_INSTANCES = ("came", "left", "changed", "drain", "undrain", "suspect")


def between(before: Iterable[Published], after: Iterable[Published]) -> list[Mapping[str, Any]]:
    """Return a row for each instance that is other, or there at one moment only."""
    old = {
        (it.host, it.instance.service, it.short, it.instance.container_port): it for it in before
    }
    new = {(it.host, it.instance.service, it.short, it.instance.container_port): it for it in after}
    rows = []
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        if was and now:
            if detail := _changed(was.instance, now.instance):
                rows.append(_row("changed", now, detail))
        elif now:
            rows.append(_row("came", now, _state(now.instance)))
        elif was:
            rows.append(_row("left", was, ""))
    return rows


def _changed(before: Instance, after: Instance) -> str:
    state = "" if before.state == after.state else f"{before.state} to {after.state}"
    why = f" ({after.leaving})" if state and after.leaving else ""
    return ", ".join(filter(None, (state + why, difference(before, after))))


def _state(instance: Instance) -> str:
    words = ("stub" if instance.role == "stub" else "", instance.state)
    return ", ".join(it for it in words if it not in ("", "ready"))


def _row(what: str, published: Published, detail: str) -> Mapping[str, Any]:
    it = published.instance
    return {
        "what": what,
        "service": it.service,
        "instance": it.container_name or f"{published.short}:{it.container_port}",
        "host": published.host,
        "detail": detail,
        "container": f"{published.short}:{it.container_port}",
        "address": f"{it.address}:{it.port}",
    }


def of_changes(changes: Iterable[Change]) -> list[Mapping[str, Any]]:
    """Return the same from journals: what became of each instance in the end."""
    by_instance: dict[tuple[str, str, str], list[Change]] = {}
    for change in changes:
        line = change.line
        if line.instance and line.what in _OF_INSTANCES:
            by_instance.setdefault((line.host, line.service, line.instance), []).append(change)
    return list(_net(by_instance.values()))


def _net(histories: Iterable[Sequence[Change]]) -> Iterator[Mapping[str, Any]]:
    for history in histories:
        first, last = history[0].line, history[-1].line
        was_there = first.what != "came"
        is_there = last.what not in ("left", "suspect")
        if not was_there and not is_there:
            continue  # it came and went in between

        what = "changed" if was_there and is_there else "came" if is_there else "left"
        steps = [it.line for it in history if it.line.what not in ("came", "left")]
        detail = ", ".join(
            dict.fromkeys(line.detail or f"{line.what}: {line.cause}" for line in steps)
        )
        yield {
            "what": what,
            "service": last.service,
            "instance": last.name or last.instance,
            "host": last.host,
            "detail": last.cause if what == "left" else detail,
            "container": last.instance,
            "address": None,
        }
