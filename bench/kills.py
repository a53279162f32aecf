"""Calls lost while three replicas are replaced in turn by SIGKILL, every call counted."""

from bench.report.figures import Figure
from bench.rig.containers import ApiContainer
from bench.rolls import rolled


def run(count: int = 10, rate: float = 100.0) -> list[Figure]:
    """Roll both modes so often; each of a mode's four clients makes `rate` calls a second."""
    return rolled("SIGKILL", ApiContainer.kill, count, rate)
