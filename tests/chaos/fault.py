"""What every fault has: a name in words, its rows, parameters drawn from the seed, a blow and a
mending.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from tests.chaos.world import World

HOSTS = ("h1", "h2", "h3")
MEMBERS = ("e1", "e2", "e3")
SERVICES = ("web", "db")  # web is http, db is tcp
# A field of a fault is drawn by its name; nothing but the seed decides, so that a seed repeats a
# run.
DRAWS: dict[str, Callable[[random.Random, type["Fault"]], Any]] = {
    "host": lambda dice, _: dice.choice(HOSTS),
    "member": lambda dice, _: dice.choice(MEMBERS),
    "service": lambda dice, _: dice.choice(SERVICES),
    "seconds": lambda dice, kind: round(dice.uniform(*kind.lasts_s), 1),
    "how_many": lambda dice, _: dice.choice((2, 3)),
    "politely": lambda dice, _: dice.random() < 0.5,
}


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, with its parameters.

    The docstring of each kind says what callers see of it.
    """

    rows: ClassVar[tuple[int, ...]]  # of the fault catalogue
    group: ClassVar[str]  # two faults at once are of different groups
    lasts_s: ClassVar[tuple[float, float]] = (2, 6)
    well_s: ClassVar[float] = 15.0  # after the mending, all must be right again within this
    # whether etcd may lose records of containers that run: their lease ended, or somebody deleted
    # them
    loses_records: ClassVar[bool] = False
    new_store: ClassVar[bool] = False  # revisions begin anew

    @classmethod
    def draw(cls, dice: random.Random) -> "Fault":
        """Return one with parameters from the dice."""
        return cls(**{each.name: DRAWS[each.name](dice, cls) for each in fields(cls)})

    @classmethod
    def words(cls) -> str:
        """Return the kind in words: `ContainerKilled` is `container killed`."""
        return re.sub(r"(?<!^)(?=[A-Z])", " ", cls.__name__).lower()

    def __str__(self) -> str:
        drawn = ", ".join(f"{each.name}={getattr(self, each.name)}" for each in fields(self))
        return f"{self.words()}({drawn})"

    def strike(self, world: "World") -> None:
        """Do it, and return once it is done."""
        raise NotImplementedError

    def heal(self, world: "World") -> None:
        """Undo what `World.mend` does not: that one starts, continues and connects everybody
        again.
        """
