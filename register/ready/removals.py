"""Hold back a mass removal that only one list speaks for. No I/O, no clock.

An engine that is still loading its containers answers with an empty or partial list, and with status 200.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

FEW = 3
PART = 0.5
SECOND_LOOK_S = 5.0  # an engine has loaded its containers by then; a host that really lost them can wait that long


@dataclass(frozen=True, slots=True)
class Held:
    """Keys that stay although their containers are not listed, each with the time it was first missed."""

    since_s: Mapping[str, float] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()

    @property
    def due_s(self) -> float | None:
        """When to list again; None if nothing is held."""
        return min(self.since_s[key] for key in self.keys) + SECOND_LOOK_S if self.keys else None


def held_back(before: Held, missing: Iterable[str], published: int, now_s: float) -> Held:
    """Return what to hold. `missing`: keys whose container is not listed, and of whose death no event told."""
    keys = frozenset(missing)
    if len(keys) <= max(FEW, PART * published):
        # The rest of a mass removal that was confirmed in part is still one.
        keys = frozenset(key for key in keys if key in before.keys)
    since_s = {key: before.since_s.get(key, now_s) for key in keys}
    return Held(since_s, frozenset(key for key in keys if now_s - since_s[key] < SECOND_LOOK_S))
