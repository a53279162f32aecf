"""Calls lost while each sidecar is killed and stopped under load, as process and as container."""

import signal
from collections.abc import Callable
from functools import partial

from bench.report.figures import Figure, say
from bench.rig.pair import DISCOVER, REGISTER
from bench.rig.pressure import Pressed, end_process, loads_of, pressed
from tests.parts.engine import Pair

Restart = Callable[[Pair], None]


def run(count: int = 5, rate: float = 2400.0) -> list[Figure]:
    """Restart each sidecar so often in each way, at so many new connections a second."""
    together = _measured(TOGETHER, count, rate, split=False)
    apart = _measured(APART, count, rate, split=True)
    return together + apart


def _measured(
    restarts: dict[str, Restart],
    count: int,
    rate: float,
    *,
    split: bool,
) -> list[Figure]:
    figures: list[Figure] = []
    with pressed(rate, split=split) as first:
        pair = first.pair
        for name, restart in restarts.items():
            # The figures of one way end its load.
            load = Pressed(pair, tuple(loads_of(pair, rate))) if figures else first
            for _ in range(count):
                restart(pair)
                pair.wait_until_ready()

            measured = load.figures(f"{count} × {name}")
            _say(f"{count} × {name}", measured)
            figures += measured
    return figures


def _say(title: str, figures: list[Figure]) -> None:
    words = [f"{figure.name} {figure.text}" for figure in figures[:3]]
    say(f"{title}: {', '.join(words)}")


def _kill_register(pair: Pair) -> None:
    end_process(pair.register, REGISTER, signal.SIGKILL)


def _stop_register(pair: Pair) -> None:
    pair.register.do("stop")
    pair.register.do("start")


def _end_discover(number: signal.Signals, pair: Pair) -> None:
    end_process(pair.discover, DISCOVER, number)


def _stop_discover(pair: Pair) -> None:
    pair.discover.do("stop")
    pair.discover.do("start")


TOGETHER: dict[str, Restart] = {
    "SIGKILL of docker-register": _kill_register,
    "docker stop of docker-register": _stop_register,
    "SIGKILL of docker-discover's process": partial(_end_discover, signal.SIGKILL),
    "SIGTERM of docker-discover's process": partial(_end_discover, signal.SIGTERM),
}
# HAProxy has a container of its own; together with docker-discover it would be stopped too.
APART: dict[str, Restart] = {
    "docker stop of docker-discover, HAProxy apart": _stop_discover,
}
