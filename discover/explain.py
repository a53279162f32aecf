"""Lay out /explain of docker-discover: what runs, what is a suspect, what is refused. No I/O."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from discover.apply.running import Running
from discover.model.proxy_config import Listener
from discover.model.spare_backends import without_spares
from discover.snapshot.keeper import Keeper
from discover.stubs.debt_keeper import StubDebt
from discover.text.slots import Seats
from sidecar.status.problems import Problem


def explained(
    running: Running,
    keeper: Keeper,
    stubs: StubDebt,
    refused: Mapping[str, Problem],
) -> dict[str, Any]:
    """Return the answer, ready for JSON."""
    listeners = without_spares(running.config.listeners) if running.config else ()
    seats = running.seats
    return {
        "revision": keeper.state.catalog.revision,
        **keeper.explained(),
        "stubs": stubs.explained(),
        "listeners": {each.name: _listener(each, seats.get(each.name)) for each in listeners},
        "refused": {where: _problem(problem) for where, problem in refused.items()},
    }


def _listener(listener: Listener, seats: Seats | None) -> dict[str, Any]:
    """Return a listener, and the names of its servers in HAProxy.

    Of its snippet only where it is written, as there may be secrets in it.
    """
    shown = asdict(replace(listener, snippet=()))
    del shown["free"]
    slots = seats.slots if seats else {}
    late = seats.late if seats else frozenset()

    for server in shown["servers"]:
        del server["free"]
        server["slot"] = slots.get(server["name"], server["name"])
        server["late"] = server["slot"] in late

    return {**shown, "snippet": [line.origin for line in listener.snippet]}


def _problem(problem: Problem) -> dict[str, str]:
    return {"code": problem.code, "text": problem.text}
