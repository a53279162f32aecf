"""Which overrides count on this host, at this moment. No I/O, no clock."""

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from catalog.keys import OverrideKey
from catalog.overrides.standing import Standing, Standings
from discover.reasons import because
from sidecar.status.problems import Problem

# An override that only its lease ends, and no word of etcd: a short fault must not end it, and one
# whose owner is gone must not lead calls to nobody for long.
VOUCHED_S = 10.0


@dataclass(frozen=True, slots=True)
class Moment:
    """The hour, and since how many seconds etcd says nothing; 0: it does."""

    now_s: float  # of the clock of the day
    silent_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Counting:
    """The overrides that count, what is wrong with others, and in how many seconds that changes."""

    standing: Standings = field(default_factory=dict)
    problems: Mapping[str, Problem] = field(default_factory=dict)
    changes_in_s: float = math.inf


def counting(standings: Standings, here: Set[str], moment: Moment) -> Counting:
    """Return which of the overrides that stand count here; `here` are the ids of this host."""
    count: dict[OverrideKey, Standing] = {}
    problems: dict[str, Problem] = {}
    changes_in_s = math.inf

    for key, standing in standings.items():
        override = standing.override
        if override is None:
            problems[where(key)] = because("BAD_OVERRIDE", f"override skipped: {standing.why_not}")
            continue

        left_s = override.until_s - moment.now_s if override.until_s else math.inf
        if standing.is_vouched and moment.silent_s:
            left_s = min(left_s, VOUCHED_S - moment.silent_s)
        if left_s <= 0 or (override.only and here.isdisjoint(override.only)):
            continue

        count[key] = standing
        changes_in_s = min(changes_in_s, left_s)

    return Counting(count, problems, changes_in_s)


def where(key: OverrideKey) -> str:
    """Return what a problem of an override is about, for /explain."""
    return f"overrides/{key.service}/{key.id}"
