"""Whose things are: a host's owner key, a service's claim of a port, the holds. No I/O."""

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from catalog.entries import Entry
from catalog.errors import Rejected
from catalog.keys import HoldKey
from catalog.records.hold import Hold
from catalog.records.hold import decode as hold_of
from catalog.values.rules import SERVICE_NAME


@dataclass(frozen=True, slots=True)
class Owner:
    """A host's owner key: created anew after an expiry, only modified by a takeover.

    A store that was wiped and written again may come to the same revision. It may even come to
    the same cluster id, which etcd makes of its members' names and addresses; but never to the
    same lease.
    """

    created: int
    lease: int = 0
    modified: int = field(default=0, compare=False)
    # Where the registrar runs, by its own word: for a docker-discover that looks for its own.
    host_ip: str = field(default="", compare=False)
    boot_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Claim:
    """The port that a service has for good, and the revision that created its key, its age."""

    port: int
    created: int
    modified: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Held:
    """Who holds a thing, and the revision that created its key, its age.

    While its holder is away the key is `leased`.
    """

    hold: Hold
    created: int
    leased: bool
    modified: int = 0

    @property
    def holder(self) -> str:
        """The service, or of a default name the origin, that it belongs to."""
        return self.hold.holder


Holds = Mapping[HoldKey, Held]


def owner_of(entry: Entry) -> Owner:
    """Return the owner in a key; what its value says counts only as far as it can be read."""
    try:
        said = json.loads(entry.value)
    except (ValueError, RecursionError):
        said = {}

    texts = [said.get(name) if isinstance(said, dict) else "" for name in ("host_ip", "boot_id")]
    host_ip, boot_id = (text if isinstance(text, str) else "" for text in texts)
    try:
        host_ip = str(ipaddress.ip_address(host_ip))
    except ValueError:
        host_ip = ""
    return Owner(entry.create_revision, entry.lease, entry.mod_revision, host_ip, boot_id)


def held_of(key: HoldKey, entry: Entry) -> Held:
    """Return who holds a thing, as its key says. Raises Rejected."""
    hold = hold_of(entry.value)
    if key.kind != "name" and not SERVICE_NAME.fullmatch(hold.holder):
        raise Rejected(f"hold: holder {hold.holder!r:.80} is not the name of a service")

    return Held(hold, entry.create_revision, entry.lease != 0, entry.mod_revision)
