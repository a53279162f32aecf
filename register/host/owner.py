"""The owner record: which registrar writes for a host, and whether that registrar still lives.

No I/O.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from catalog.errors import Rejected
from sidecar.log import Details

VERSION = 1
_KINDS: Mapping[str, tuple[type, ...]] = {  # of the fields that are no text
    "pid": (int,),
    "started_ticks": (int,),
    "engine": (str, type(None)),
    "container": (str, type(None)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOwner:
    """One life of a registrar, with the facts that tell whether that life is over."""

    life: str
    host_ip: str
    hostname: str
    since: str
    engine: str | None  # the Docker engine's id; unknown behind a proxy that refuses /info
    container: str | None  # the one that it runs in
    pid: int
    pid_namespace: str
    boot_id: str
    started_ticks: int  # of the process, since boot: its pid may be given to another one


def encode(owner: HostOwner) -> bytes:
    """Return the canonical JSON of an owner."""
    document = {"v": VERSION, **asdict(owner)}
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def decode(value: bytes) -> HostOwner:
    """Return the owner in a record. Raises Rejected."""
    try:
        document = json.loads(value)
        if document["v"] != VERSION:
            raise Rejected(f"owner: version {document['v']!r:.20} is unknown")

        names = [field.name for field in fields(HostOwner)]
        return HostOwner(**{name: _typed(name, document[name]) for name in names})
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        raise Rejected(f"owner: not an owner record: {error!r:.80}") from error


def _typed(name: str, value: object) -> Any:
    if not isinstance(value, _KINDS.get(name, (str,))):
        raise TypeError(f"{name} is {type(value).__name__}")
    return value


OwnerStatus = Literal["over", "alive", "unknown", "elsewhere"]

# What is logged while this registrar waits for another one.
WAITING: Mapping[OwnerStatus, str] = {
    "alive": "another registrar runs for this host, waiting until it stops",
    "unknown": (
        "another registrar owns this host and may be alive, waiting until its lease expires"
    ),
    "elsewhere": ("another machine uses the same HOST_ID, waiting: give each machine its own"),
}


@dataclass(frozen=True, slots=True)
class LifeSigns:
    """Whether another owner's process and container were found alive; None: it cannot be seen."""

    process_alive: bool | None
    container_running: bool | None


def status_of(other: HostOwner, mine: HostOwner, signs: LifeSigns) -> OwnerStatus:
    """Return whether another owner's life is over, so that its lease and keys may be adopted."""
    if other.life == mine.life:
        return "over"  # our own put, whose reply got lost

    same_boot = other.boot_id == mine.boot_id
    # Without the engine's id the boot tells the machine, as long as that was not booted again.
    same_machine = other.engine == mine.engine if other.engine and mine.engine else same_boot
    if not same_machine:
        return "elsewhere"
    if not same_boot:
        return "over"

    alive = signs.process_alive
    if alive is None and other.container is not None:
        # A container runs one registrar at a time: in this very one, the other has ended.
        alive = False if other.container == mine.container else signs.container_running
    if alive is None:
        return "unknown"
    return "alive" if alive else "over"


@dataclass(frozen=True, slots=True)
class FoundOwner:
    """What an owner key says: its owner's life is over, or why this registrar has to wait."""

    is_over: bool
    why: str = ""


def found_owner(
    value: bytes, host: str, status_of: Callable[[HostOwner], OwnerStatus]
) -> FoundOwner:
    """Return whom the value of an owner key names."""
    try:
        other = decode(value)
    except Rejected as error:
        why = f"cannot read the owner key, waiting until its lease expires: {error}"
        return FoundOwner(is_over=False, why=why)

    status = status_of(other)
    if status == "over":
        return FoundOwner(is_over=True)

    shown = Details(host=host, hostname=other.hostname, ip=other.host_ip, since=other.since)
    return FoundOwner(is_over=False, why=f"{WAITING[status]} {shown}")
