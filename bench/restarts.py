"""Calls lost while each sidecar is killed and stopped under load; HAProxy is the service beside docker-discover."""

import signal
from collections.abc import Callable

from bench.measure import Figure, say
from bench.pressure import Pressed, end_process, loads_of, pressed
from bench.world import DISCOVER, REGISTER
from tests.parts.engine import Pair


def run(count: int = 5, rate: float = 2400.0) -> list[Figure]:
    """End each sidecar so often in each way, at so many new connections a second."""
    figures = []
    with pressed(rate) as world:
        pair = world.pair
        for number, (name, restart) in enumerate(WAYS.items()):
            now = world if number == 0 else Pressed(pair, tuple(loads_of(pair, rate)))
            for _ in range(count):
                restart(pair)
                pair.wait_until_ready()
            some = now.figures(f"{count} × {name}")
            say(f"{count} × {name}: {', '.join(f'{figure.name} {figure.text}' for figure in some[:3])}")
            figures += some
    return figures


def _stop_register(pair: Pair) -> None:
    pair.register.do("stop")
    pair.register.do("start")


WAYS: dict[str, Callable[[Pair], None]] = {
    "SIGKILL of docker-register": lambda pair: end_process(pair.register, REGISTER, signal.SIGKILL),
    "docker stop of docker-register": _stop_register,
    "SIGKILL of docker-discover's process": lambda pair: end_process(pair.discover, DISCOVER, signal.SIGKILL),
    "SIGTERM of docker-discover's process": lambda pair: end_process(pair.discover, DISCOVER, signal.SIGTERM),
}
