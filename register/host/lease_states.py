"""The states of a host's lease, and how they follow each other. No I/O, no clock."""

from dataclasses import dataclass

from register.host.owner import FoundOwner
from register.records.host_state import Command, HostLease


@dataclass(frozen=True, slots=True)
class Acquiring:
    """The owner key is about to be put, or was not read yet.

    `lost`: an earlier lease of this process expired, with all that was published under it.
    """

    lost: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """Another registrar owns the host."""

    why: str
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Draining:
    """The host is being taken out of service."""

    lost: bool = False


@dataclass(frozen=True, slots=True)
class Undraining:
    """The host is being brought back into service."""

    lost: bool = False


@dataclass(frozen=True, slots=True)
class Drained:
    """The host is out of service until somebody undrains it."""

    why: str
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Holding:
    """This registrar owns the host.

    Not `confirmed`: the lease was not kept alive yet, or not since etcd was away, so nothing may
    be written. `doubt`: why the lease is left to expire. `old_lease`, 0 for none, is that of an
    earlier life with another TTL; it lives until everything stands under the new one.
    """

    lease: HostLease
    old_lease: int = 0
    confirmed: bool = False
    doubt: str | None = None


NotHolding = Acquiring | Waiting | Draining | Undraining | Drained
LeaseState = NotHolding | Holding


def next_state(
    lost: bool, command: Command | None, drained: str | None, owner: FoundOwner | None
) -> NotHolding:
    """Return the state that the host's keys, and a command, ask for while no lease is held.

    `drained`: why the host is out of service, if it is. `owner`: whom the owner key names, if it
    exists.
    """
    if command == "drain":
        return Draining(lost)
    if command == "undrain":
        return Undraining(lost)

    if drained is not None:
        # An owner whose life is over, on a drained host, is a drain that did not come to its end.
        has_begun = owner is not None and owner.is_over
        return Draining(lost) if has_begun else Drained(drained, lost)

    if owner is not None and not owner.is_over:
        return Waiting(owner.why, lost)
    return Acquiring(lost)
