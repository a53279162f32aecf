"""Since when, or at which moment: a revision of etcd, or a time ago. No I/O, no clock."""

import re
from dataclasses import dataclass

from catalog.errors import Rejected
from ctl.view.times import seconds_of

_REVISION = re.compile(r"[1-9]\d{0,17}")


@dataclass(frozen=True, slots=True)
class Moment:
    """A revision, or so many seconds ago: one of both is 0."""

    revision: int = 0
    ago_s: int = 0

    def __str__(self) -> str:
        return f"revision {self.revision}" if self.revision else f"{self.ago_s} s ago"


def moment_of(text: str) -> Moment:
    """Return the moment in such as `8100`, `24h` or `10m`. Raises Rejected."""
    if _REVISION.fullmatch(text):
        return Moment(revision=int(text))
    try:
        return Moment(ago_s=max(1, round(seconds_of(text))))
    except Rejected as error:
        raise Rejected(
            f"{text!r:.40} is neither a revision such as 8100 nor a time such as 24h"
        ) from error
