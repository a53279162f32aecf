"""What docker-discover answers of intercepts: those that HAProxy does here, and why not others."""

from collections.abc import Iterator, Mapping
from typing import Any

from catalog.asking.answer import Answer
from discover.apply.running import Running
from discover.model.proxy_config import Intercept, Listener

# Stands in the lines that lead calls away: a template of the operator's own may lack them.
LEADING = "concat(+),map_str("
DOOR = "frontend door"


def intercepts_of(running: Running, facts: Mapping[str, Any]) -> Answer:
    """Return the answer: a row for each intercept that holds on this host."""
    return Answer(facts=dict(facts), rows=tuple(intercept_rows(running)))


def intercept_rows(running: Running) -> Iterator[Mapping[str, Any]]:
    """Yield a row for each intercept that holds on this host."""
    config = running.config
    if config is None:
        return

    listeners = {(each.service, each.port): each for each in config.listeners}
    for each in config.intercepts:
        listener = listeners.get((each.service, each.port))
        why = _lack(running, each, listener)
        row = {
            "id": each.id,
            "service": each.service,
            "port": each.port,
            "calls": each.calls,
            "to": each.to,
            "by": each.by,
            "why": why,
        }
        yield {name: value for name, value in row.items() if value}

    for name, why in config.not_intercepted.items():
        service, _, id_ = name.partition("/")
        yield {"id": id_, "service": service, "why": why}


def _lack(running: Running, intercept: Intercept, listener: Listener | None) -> str:
    """Return why HAProxy does not do it yet, or cannot; empty if it does."""
    if listener is None or f"{intercept.backend}+" not in (running.routes or {}):
        return "the template in use has no map"

    heads = [f"listen {listener.name}"] if listener.binds else []
    heads += [DOOR] if listener.routes else []
    for head in heads:
        section = running.sections.get(head)
        if section and not any(LEADING in line for line in section.lines):
            return f"the template in use leads no calls away at {head}"
    return ""
