"""Hold back a mass removal until a second list confirms it. No I/O, no clock.

An engine that is still loading its containers answers with an empty or partial list, and with
status 200.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from catalog.keys import CONTAINER_SHORT
from register.docker.hints import Hints
from register.docker.source import ContainerList

FEW = 3
PART = 0.5
# An engine has loaded its containers by then; a host that really lost them can wait that long.
SECOND_LOOK_S = 5.0


@dataclass(frozen=True, slots=True)
class HeldRemovals:
    """Keys that stay although their containers are not listed.

    `missing_since_s` has the time of the list that first missed each key.
    """

    missing_since_s: Mapping[str, float] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()

    @property
    def due_s(self) -> float | None:
        """When to list again; None if nothing is held."""
        if not self.keys:
            return None
        return min(self.missing_since_s[key] for key in self.keys) + SECOND_LOOK_S


def held_removals(
    before: HeldRemovals, missing: Iterable[str], published: int, now_s: float
) -> HeldRemovals:
    """Return which keys to hold.

    `missing`: keys whose container is neither listed, nor known by an event to have died.
    """
    keys = frozenset(missing)
    if len(keys) <= max(FEW, PART * published):
        # The rest of a mass removal that was confirmed in part is still one.
        keys &= before.keys

    since_s = {key: before.missing_since_s.get(key, now_s) for key in keys}
    held = frozenset(key for key in keys if now_s - since_s[key] < SECOND_LOOK_S)
    return HeldRemovals(since_s, held)


def missing_keys(
    published: Iterable[str], wanted: Mapping[str, object], listed: ContainerList, hints: Hints
) -> list[str]:
    """Return the published keys whose container is not listed, although no event showed its end."""
    here = {container.id[:CONTAINER_SHORT] for container in listed.containers}
    died = {id_[:CONTAINER_SHORT] for id_, hint in hints.by_container.items() if hint.died_ns}
    unwanted = (key for key in published if key not in wanted)
    return [key for key in unwanted if _container_of(key) not in here | died]


def _container_of(key: str) -> str:
    return key.rpartition("/")[2].partition(":")[0]
