"""Lay out /explain of docker-discover: what runs, what is a suspect, what is refused. No I/O."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from discover.model.proxy_config import Listener, ProxyConfig
from discover.model.spare_backends import without_spares
from discover.snapshot.keeper import Keeper
from discover.stubs.debt_keeper import StubDebt
from sidecar.status.problems import Problem


def explained(
    running: ProxyConfig | None,
    keeper: Keeper,
    stubs: StubDebt,
    refused: Mapping[str, Problem],
) -> dict[str, Any]:
    """Return the answer, ready for JSON."""
    listeners = without_spares(running.listeners) if running else ()
    return {
        "revision": keeper.state.catalog.revision,
        **keeper.explained(),
        "stubs": stubs.explained(),
        "listeners": {listener.name: _listener(listener) for listener in listeners},
        "refused": {where: _problem(problem) for where, problem in refused.items()},
    }


def _listener(listener: Listener) -> dict[str, Any]:
    """Return a listener; of its snippet only where it is written, as there may be secrets in it."""
    shown = asdict(replace(listener, snippet=()))
    return {**shown, "snippet": [line.origin for line in listener.snippet]}


def _problem(problem: Problem) -> dict[str, str]:
    return {"code": problem.code, "text": problem.text}
