"""What a host's owner key says to those that read the catalog. No I/O."""

import ipaddress
import json
from dataclasses import dataclass, field

from catalog.entries import Entry


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
