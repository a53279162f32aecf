"""Change by hand whose a port, a host name or a default name is: --release and --hand-over."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from catalog.errors import Conflict, Rejected
from catalog.keys import HoldKey, PortKey, key_of, root
from catalog.records.hold import Hold, encode
from catalog.records.origin import suggested_name
from catalog.store import Delete, Put, Store
from catalog.values.rules import HOST_NAME, PORT_MAX, SERVICE_NAME, TEXT
from discover.claims.uses import is_used, moment, service_of, uses_of
from discover.snapshot.belongs import Held
from discover.snapshot.snapshot import Snapshot, snapshot_of


class Misspelt(Rejected):
    """What a person named is no thing that can be held, or no holder."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What etcd has: of the thing its hold, and the revision of whatever stands there."""

    key: HoldKey
    text: str
    held: Held | None
    modified: int
    snapshot: Snapshot


def release(store: Store, prefix: str, thing: str) -> str:
    """Free what a service without instances still holds, and return a sentence on it.

    Raises Rejected if nobody holds it, or if its holder would take it again at once.
    """
    found = _found(store, prefix, hold_key(thing.strip()))
    key, held = found.key, found.held
    if not found.modified:
        raise Rejected(f"nobody holds {_shown(key)}{_others(found, prefix)}")

    if held is not None and _is_asking(found, held.hold):
        raise Rejected(
            f"{_shown(key)} belongs to {held.holder}, which has instances and would take it again; "
            f"stop them first, or use --hand-over {thing.strip()}=SERVICE"
        )

    _write(store, Delete(found.text, found.modified))
    return f"{_shown(key)} is free{_before(found)}"


def hand_over(store: Store, prefix: str, given: str) -> str:
    """Give a thing to another holder, as in `8080=orders`, and return a sentence on it.

    Raises Rejected, also if that holder does not ask for it: nobody would have it then.
    """
    thing, equals, name = (part.strip() for part in given.partition("="))
    key = hold_key(thing)
    is_holder = TEXT if key.kind == "name" else SERVICE_NAME
    if not equals or not name or not is_holder.fullmatch(name):
        raise Misspelt(f"{given!r:.80} is not like 8080=orders: write the service after =")

    found = _found(store, prefix, key)
    holder = _holder_named(found, name)
    hold = Hold(holder, since=moment(time.time()), domain=_own_domain(key, holder))
    if not _is_asking(found, hold):
        asking = ", ".join(sorted(_asking(found))) or "nobody"
        raise Rejected(
            f"{name} has no instance that asks for {_shown(key)}; start it first. "
            f"Those that ask: {asking}"
        )

    _write(store, Put(found.text, encode(hold), found.modified))
    return f"{_shown(key)} belongs to {holder}{_before(found)}"


def hold_key(thing: str) -> HoldKey:
    """Return the key of what a person names: `8080`, `shop.example.com/api` or `db`.

    Raises Misspelt.
    """
    is_number = thing.isascii() and thing.isdigit()
    if is_number and 1 <= int(thing) <= PORT_MAX:
        return HoldKey("port", str(int(thing)))

    host, slash, path = thing.partition("/")
    if (slash or "." in host) and HOST_NAME.fullmatch(host.lower()):
        return HoldKey("host", f"{host.lower()}/{path}".rstrip("/") + "/")
    if SERVICE_NAME.fullmatch(thing) and not is_number:
        return HoldKey("name", thing)

    raise Misspelt(
        f"{thing!r:.80} is neither a port such as 8080, nor a host name such as "
        "shop.example.com/api, nor a default name such as db"
    )


def _found(store: Store, prefix: str, key: HoldKey) -> _Found:
    listing = store.list(root(prefix))
    snapshot = snapshot_of(prefix, listing)
    text = key_of(prefix, key)
    modified = [entry.mod_revision for entry in listing.entries if entry.key == text]
    return _Found(key, text, snapshot.holds.get(key), modified[0] if modified else 0, snapshot)


def _write(store: Store, change: Put | Delete) -> None:
    try:
        store.write([change], lease=0)
    except Conflict as error:
        raise Rejected("somebody else changed it at the same moment; run it again") from error


def _own_domain(key: HoldKey, holder: str) -> str:
    """Return the domain in which a host name would be the service's own.

    Some host may have that as its DOMAIN.
    """
    host = key.thing.partition("/")[0]
    is_own = key.kind == "host" and host.startswith(f"{holder}.")
    return host.removeprefix(f"{holder}.") if is_own else ""


def _is_asking(found: _Found, hold: Hold) -> bool:
    """Whether a holder has an instance that uses the thing."""
    name = service_of(found.key, hold.holder)
    service = found.snapshot.services.get(name)
    if service is None:
        return False
    return is_used(found.key, hold, service, uses_of(name, service, ""), domain="")


def _asking(found: _Found) -> Iterator[str]:
    """Yield those that ask for the thing, as they are to be written."""
    for name, service in found.snapshot.services.items():
        for use in uses_of(name, service, domain=""):
            if use.key == found.key:
                yield repr(use.holder) if " " in use.holder else use.holder


def _holder_named(found: _Found, name: str) -> str:
    """Return the holder that a person means.

    Of a default name, that is an origin; `blog-db`, as messages suggest it, stands for one too.
    """
    if found.key.kind != "name" or found.key.thing not in found.snapshot.services:
        return name

    service = found.key.thing
    origins = found.snapshot.services[service].origins
    meant = [it for it in origins if suggested_name(it, service) == name]
    return meant[0] if len(meant) == 1 else name


def _others(found: _Found, prefix: str) -> str:
    """Return what may have been meant instead."""
    key, snapshot = found.key, found.snapshot
    if key.kind == "name" and HoldKey("host", f"{key.thing}/") in snapshot.holds:
        return f"; the host name is held: write {key.thing}/"

    # A name may be meant for all that a service with that name holds.
    things = sorted(
        each.thing
        for each, held in snapshot.holds.items()
        if key.kind == "name" and held.holder == key.thing
    )
    if things:
        return f"; the service {key.thing} holds {', '.join(things)}"

    for service, claim in snapshot.claims.items():
        if key.kind == "port" and claim.port == int(key.thing):
            claimed = key_of(prefix, PortKey(service))
            return f"; it is claimed for {service}; to free it, delete {claimed} in etcd"
    return ""


def _before(found: _Found) -> str:
    if found.held is not None:
        return f"; {found.held.holder} held it since {found.held.hold.since}"
    return "; what was held there could not be read" if found.modified else ""


def _shown(key: HoldKey) -> str:
    words = {"port": "service port", "host": "the host name", "name": "the default name"}
    return f"{words[key.kind]} {key.thing.rstrip('/')}"
