"""Calls lost while each sidecar is killed and stopped under load, as a process and as a container."""

import signal
from collections.abc import Callable

from bench.measure import Figure, say
from bench.pressure import Pressed, end_process, loads_of, pressed
from bench.world import DISCOVER, REGISTER
from tests.parts.engine import Pair

Way = Callable[[Pair], None]


def run(count: int = 5, rate: float = 2400.0) -> list[Figure]:
    """End each sidecar so often in each way, at so many new connections a second."""
    return [
        figure for form in (ONE, SPLIT) for figure in _ended(form, count, rate, split=form is SPLIT)
    ]


def _ended(ways: dict[str, Way], count: int, rate: float, *, split: bool) -> list[Figure]:
    figures = []
    with pressed(rate, split=split) as world:
        pair = world.pair
        for number, (name, restart) in enumerate(ways.items()):
            now = world if number == 0 else Pressed(pair, tuple(loads_of(pair, rate)))
            for _ in range(count):
                restart(pair)
                pair.wait_until_ready()
            some = now.figures(f"{count} × {name}")
            say(
                f"{count} × {name}: {', '.join(f'{figure.name} {figure.text}' for figure in some[:3])}"
            )
            figures += some
    return figures


def _stop_register(pair: Pair) -> None:
    pair.register.do("stop")
    pair.register.do("start")


def _stop_discover(pair: Pair) -> None:
    pair.discover.do("stop")
    pair.discover.do("start")


ONE: dict[str, Way] = {
    "SIGKILL of docker-register": lambda pair: end_process(pair.register, REGISTER, signal.SIGKILL),
    "docker stop of docker-register": _stop_register,
    "SIGKILL of docker-discover's process": lambda pair: end_process(
        pair.discover, DISCOVER, signal.SIGKILL
    ),
    "SIGTERM of docker-discover's process": lambda pair: end_process(
        pair.discover, DISCOVER, signal.SIGTERM
    ),
}
# Where HAProxy has a container of its own; else it would be stopped too.
SPLIT: dict[str, Way] = {"docker stop of docker-discover, HAProxy apart": _stop_discover}
