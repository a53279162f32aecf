"""What the lease keeper and the publisher share about this host. Each field has one writer."""

import time
from dataclasses import dataclass, field
from typing import Literal

from catalog.entries import Fence

# A lease vouches for fresh knowledge. Upgrading an engine with live-restore takes a minute or two,
# during which all containers serve; an engine that is away for five minutes is broken, and the
# fate of its containers unknown.
LISTED_WITHIN_S = 300.0
# The slowest round: an engine and an etcd that let every call run into its deadline.
TURNED_WITHIN_S = 60.0

Command = Literal["drain", "undrain"]  # to a registrar, about its whole host


@dataclass(frozen=True, slots=True)
class Host:
    """This host, for as long as the process lives."""

    id: str
    ip: str
    engine: str | None


@dataclass(frozen=True, slots=True)
class HostLease:
    """The right to write for this host: a lease, and the revision that its owner key was put at."""

    id: int
    owner_key: str
    revision: int
    replaces_lost: bool = False  # this process had another one, lost with all that was published

    @property
    def fence(self) -> Fence:
        """The condition of every write: the owner key is still as this registrar put it."""
        return Fence(self.owner_key, self.revision)


@dataclass(slots=True)
class HostState:
    """The facts that pass between the two actors. Times are of the monotonic clock."""

    # Written by the lease keeper:
    host: Host | None = None
    lease: HostLease | None = None  # None: write nothing
    drained: str | None = None  # why nothing of this host is published

    # Written by the publisher:
    # Whether the engine starts this container again when it ends; None: it was not listed.
    comes_back: bool | None = None
    published_under: HostLease | None = None  # everything that is published stands under it
    listed_s: float = field(default_factory=time.monotonic)  # the last good list, or the start
    turned_s: float = field(default_factory=time.monotonic)  # when its loop last went round

    def why_stale(self, now_s: float) -> str | None:
        """Return why the lease must not vouch for what is published; None if it may."""
        if now_s - self.listed_s > LISTED_WITHIN_S:
            return f"no list of containers for more than {LISTED_WITHIN_S:g} s"
        if now_s - self.turned_s > TURNED_WITHIN_S:
            return f"the publisher is stuck for more than {TURNED_WITHIN_S:g} s"
        return None
