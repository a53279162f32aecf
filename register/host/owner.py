"""Who writes for a host: the owner record, and whether another one is an earlier life of mine. No I/O."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from catalog.errors import Rejected

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One life of a registrar, and by what it can be told whether that life is over."""

    life: str
    host_ip: str
    hostname: str
    since: str
    engine: str | None  # the Docker engine's id; unknown behind a proxy that refuses /info
    container: str | None  # that it runs in itself
    pid: int
    pid_namespace: str
    boot_id: str
    started_ticks: int  # of the process, since boot: a pid alone may have been given to another one


def encode(owner: Owner) -> bytes:
    """Return the canonical JSON of an owner."""
    return json.dumps(
        {"v": VERSION, **asdict(owner)}, sort_keys=True, separators=(",", ":")
    ).encode()


def decode(value: bytes) -> Owner:
    """Return the owner in a record. Raises Rejected."""
    try:
        document = json.loads(value)
        if document["v"] != VERSION:
            raise Rejected(f"owner: version {document['v']!r:.20} is not known here")
        return Owner(**{f.name: _typed(f.name, document[f.name]) for f in fields(Owner)})
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        raise Rejected(f"owner: not a record of this kind: {error!r:.80}") from error


def _typed(name: str, value: object) -> Any:
    kinds = {
        "pid": (int,),
        "started_ticks": (int,),
        "engine": (str, type(None)),
        "container": (str, type(None)),
    }
    if not isinstance(value, kinds.get(name, (str,))):
        raise TypeError(f"{name} is {type(value).__name__}")
    return value


Verdict = Literal["over", "alive", "unknown", "elsewhere"]

WAITING: dict[Verdict, str] = {
    "alive": "another registrar runs for this host, this one waits until it is gone",
    "unknown": "another registrar has this host and may be alive, this one waits until its lease ends",
    "elsewhere": "another machine uses the same HOST_ID, this one waits: give each machine its own",
}


@dataclass(frozen=True, slots=True)
class Signs:
    """What was looked up about another owner: None is what could not be told from here."""

    process_alive: bool | None
    container_running: bool | None


def judge(other: Owner, mine: Owner, signs: Signs) -> Verdict:
    """Return whether another owner's life is over, so that its lease and keys may be adopted."""
    if other.life == mine.life:
        return "over"  # my own write, whose answer got lost
    same_boot = other.boot_id == mine.boot_id
    # Without the engine's id the boot tells the machine, as long as it has not been booted anew.
    same_machine = other.engine == mine.engine if other.engine and mine.engine else same_boot
    if not same_machine:
        return "elsewhere"
    if not same_boot:
        return "over"
    alive = signs.process_alive
    if alive is None and other.container is not None:
        # The same container: it was started anew, and runs one registrar at a time.
        alive = False if other.container == mine.container else signs.container_running
    return "unknown" if alive is None else "alive" if alive else "over"
