"""What the lease keeper and the publisher tell each other: references, each replaced by one of them only."""

import time
from dataclasses import dataclass, field
from typing import Literal

Asked = Literal["drain", "undrain"]  # of a registrar, about its whole host


@dataclass(frozen=True, slots=True)
class Host:
    """This host, for as long as the process lives."""

    id: str
    ip: str
    engine: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write for this host: a lease, and the owner key's revision that fences every write."""

    lease: int
    owner_key: str
    revision: int
    again: bool = (
        False  # this life had another one, whose lease is gone with everything that was published
    )


@dataclass(slots=True)
class Standing:
    """The state between the two actors. Ages are of the monotonic clock."""

    # The lease keeper's
    host: Host | None = None
    claim: Claim | None = None
    drained: str | None = None  # why nothing of this host is published
    # The publisher's
    settled: Claim | None = None  # everything that is published stands under this claim
    listed_s: float = field(
        default_factory=time.monotonic
    )  # the last good list; at first the start
    turned_s: float = field(default_factory=time.monotonic)  # the last time its loop went round
