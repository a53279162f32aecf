"""End the connections to stubs that a real instance takes over from, in every worker."""

import logging
from collections.abc import Callable, Set

from catalog.errors import Unavailable
from discover.haproxy.batches import batches
from discover.stubs.takeover import (
    each_shutdown,
    held_by,
    old_workers,
    questions,
    shutdowns,
    superseded,
)
from discover.text.render import Rendered

log = logging.getLogger(__name__)

Ask = Callable[[str], str]


def disconnect(ask: Ask, before: Rendered, after: Rendered) -> None:
    """End the connections to stubs that lost their calls between two texts.

    A failure is only logged.
    """
    current = superseded(before.sections, after.sections)
    stubs = {*current, *(after.superseded - before.superseded)}
    if not stubs:
        return

    try:
        for line in batches(shutdowns(current)):
            ask(line)
        for worker in old_workers(ask("show proc")):
            _disconnect_old(ask, worker, stubs)
    except Unavailable as error:
        log.warning("connections to stubs may stay open: %s", error)


def _disconnect_old(ask: Ask, worker: str, stubs: Set[str]) -> None:
    """End the connections that a worker holds which a reload made old."""
    held = held_by(stubs, ask(f"{worker}show sess"))
    modes = "".join(ask(line) for line in batches(questions(held), worker))

    for line in batches(each_shutdown(held, modes), worker):
        ask(line)
