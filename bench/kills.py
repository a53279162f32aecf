"""Calls lost while three replicas are replaced one after the other by SIGKILL, under calls counted one by one."""

from bench.measure import Figure
from bench.rolls import rolled
from bench.world import Made


def run(count: int = 10, rate: float = 100.0) -> list[Figure]:
    """Roll both modes so often; `rate` is the calls a second of each of four clients a mode."""
    return rolled("SIGKILL", Made.kill, count, rate)
