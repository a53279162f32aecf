"""etcd's members as they were seen from here. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MemberSeen:
    """One member as it answers from here; `why` tells why it does not.

    A size of 0 is not known: older versions do not tell it.
    """

    address: str
    why: str = ""
    refused: bool = False  # it is there, but this user may not ask
    id: int = 0
    cluster: int = 0
    took_s: float = 0.0  # of a read that needs a leader and a quorum
    version: str = ""
    size_bytes: int = 0
    used_bytes: int = 0
    quota_bytes: int = 0
    leader: int = 0


@dataclass(frozen=True, slots=True)
class ClusterSeen:
    """All members: those that were asked, and those that only others know of."""

    members: tuple[MemberSeen, ...]
    names: Mapping[int, str] = field(default_factory=dict)
    alarms: tuple[tuple[int, str], ...] = ()  # a member's id, and its alarm
