"""What stands in etcd of this machine and of hosts out of service, and which ports to call. No I/O.

Whoever wrote it may be of another version: what cannot be read is left to docker-discover, which
refuses it and says so.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from catalog.entries import Entry
from catalog.errors import Rejected
from catalog.keys import DrainedKey, Key, OwnerKey, PurgeKey, parse_key
from catalog.records.json_object import object_of
from ctl.view.doctor.from_here import Port

LOOPBACK = "127.0.0.1"
ALL = ("*", "0.0.0.0")  # noqa: S104 - what docker-discover says that it listens on
OWNER_BYTES_MAX = 8192


def marked(
    prefix: str, entries: Iterable[Entry], kind: type[DrainedKey | PurgeKey]
) -> frozenset[str]:
    """Return the hosts that have such a key."""
    return frozenset(key.host for key, _entry in _keys(prefix, entries) if isinstance(key, kind))


def own_hosts(
    prefix: str, entries: Iterable[Entry], boot_id: str, is_own: Callable[[str], bool]
) -> frozenset[str]:
    """Return the hosts that this machine is: their registrars have its boot and an address of it.

    Several hosts can share a kernel.
    """
    return frozenset(
        key.host
        for key, entry in _keys(prefix, entries)
        if isinstance(key, OwnerKey) and boot_id and _is_here(entry.value, boot_id, is_own)
    )


def _keys(prefix: str, entries: Iterable[Entry]) -> Iterator[tuple[Key, Entry]]:
    for entry in entries:
        try:
            yield parse_key(prefix, entry.key), entry
        except Rejected:
            continue


def _is_here(value: bytes, boot_id: str, is_own: Callable[[str], bool]) -> bool:
    try:
        owner = object_of(value, "owner", OWNER_BYTES_MAX)
    except Rejected:
        return False

    address = owner.get("host_ip")
    return owner.get("boot_id") == boot_id and isinstance(address, str) and is_own(address)


def ports_of(rows: Iterable[Mapping[str, Any]], listens: Sequence[str]) -> tuple[Port, ...]:
    """Return the ports of services that have instances, and where this machine calls them."""
    is_local = not listens or LOOPBACK in listens or any(it in listens for it in ALL)
    host = LOOPBACK if is_local else listens[0]
    found: dict[tuple[str, int], Port] = {}
    for row in rows:
        service, port = str(row.get("service", "")), row.get("port")
        counts = (row.get("up"), row.get("real"), row.get("stubs"))
        if isinstance(port, int) and port and any(counts):
            is_http = row.get("mode") == "http"
            found.setdefault((service, port), Port(service, host, port, is_http))

    return tuple(found[place] for place in sorted(found))


def explained_rows(explained: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a row for each service port that docker-discover's own /explain tells of."""
    listeners = explained.get("listeners")
    for each in listeners.values() if isinstance(listeners, dict) else ():
        if isinstance(each, dict) and each.get("binds"):
            yield {
                "service": each.get("service"),
                "port": each.get("port"),
                "mode": each.get("mode"),
                "up": len(each.get("servers") or ()),
            }
