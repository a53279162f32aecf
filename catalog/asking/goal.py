"""What can be waited for: the condition of a question of kind `until`. No I/O."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from catalog.errors import Rejected

Kind = Literal["ready", "real", "stub", "gone", "draining", "idle", "revision"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# What of a question says it.
FOR, ANY = "for", "any"

_NUMBERED = ("ready", "revision")
_NUMBER = re.compile(r"[1-9]\d{0,17}")


@dataclass(frozen=True, slots=True)
class Goal:
    """What is waited for; `number` is how many instances, or the revision."""

    kind: Kind = "ready"
    number: int = 1

    def __str__(self) -> str:
        return f"{self.kind}={self.number}" if self.kind in _NUMBERED else self.kind


def goal_of(text: str) -> Goal:
    """Return the goal in such as `ready=2`. Raises Rejected."""
    word, equals, number = text.partition("=")
    takes = word in _NUMBERED
    for kind in KINDS:
        if word == kind and (not equals or (takes and _NUMBER.fullmatch(number))):
            return Goal(kind, int(number) if number else int(kind != "revision"))

    raise Rejected(
        f"{text!r} is none of ready, ready=N, real, stub, gone, draining, idle, revision, "
        "revision=R"
    )
