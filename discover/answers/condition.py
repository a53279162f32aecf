"""How this host's docker-discover is, for whoever looks after all of them. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sidecar.status.problems import Problem

PROBLEMS_MAX = 60  # of 400 characters each: so they leave room for services in an answer
TEXT_MAX = 400


@dataclass(frozen=True, slots=True)
class Lost:
    """What is called of a host whose lease ended, and for how long that has been so."""

    instances: int
    for_s: int


def condition(
    problems: Mapping[str, Problem],
    lost: Mapping[str, Lost],
    latency: Mapping[str, Any],
    *,
    frozen: bool,
    clock_ms: int,
) -> dict[str, Any]:
    """Return facts: the clock, suspects by host, what is refused, how fast starts are applied."""
    shown = sorted(problems.items())[:PROBLEMS_MAX]
    return {
        "clock_ms": clock_ms,
        "frozen": frozen,
        "suspects": {
            host: {"instances": each.instances, "for_s": each.for_s}
            for host, each in sorted(lost.items())
        },
        "refused": [
            {"where": where, "code": it.code, "text": it.text[:TEXT_MAX]} for where, it in shown
        ],
        "refused_more": len(problems) - len(shown),
        "start_to_applied": dict(latency),
    }
