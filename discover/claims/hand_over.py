"""Change by hand whose a port, a host name or a default name is: --release and --hand-over."""

import time

from catalog.errors import Rejected
from catalog.hold import Hold, encode
from catalog.keys import HoldKey, key_of, root
from catalog.port_claim import PORT_MAX
from catalog.rules import HOST_NAME, SERVICE_NAME, TEXT
from catalog.store import Delete, Put, Store
from discover.claims.uses import is_used, moment, service_of, uses_of
from discover.snapshot.snapshot import Held, Holds, Snapshot, snapshot_of


def release(store: Store, prefix: str, thing: str) -> str:
    """Free what a service without instances still holds, and return a sentence on it.

    Raises Rejected if nobody holds it, or if its holder would take it again at once.
    """
    key = hold_key(thing)
    snapshot = snapshot_of(prefix, store.list(root(prefix)))
    held = _held(key, snapshot)

    name = service_of(key, held.holder)
    service = snapshot.services.get(name)
    if service and is_used(key, held.holder, service, uses_of(name, service, domain="")):
        raise Rejected(
            f"{_shown(key)} belongs to {held.holder}, which has instances and would take it again; "
            f"stop them first, or use --hand-over {thing}=SERVICE"
        )

    store.write([Delete(key_of(prefix, key), held.modified)], lease=0)
    return f"{_shown(key)} is free; {held.holder} held it since {held.since}"


def hand_over(store: Store, prefix: str, given: str) -> str:
    """Give a thing to another holder, as in `8080=orders`, and return a sentence on it.

    Raises Rejected.
    """
    thing, equals, holder = given.partition("=")
    key = hold_key(thing.strip())
    _check_holder(key, holder.strip(), given if equals else "")

    holds = snapshot_of(prefix, store.list(root(prefix))).holds
    held = holds.get(key)
    hold = Hold(holder.strip(), since=moment(time.time()))
    expected = held.modified if held else 0
    store.write([Put(key_of(prefix, key), encode(hold), expected)], lease=0)

    before = f"; {held.holder} held it since {held.since}" if held else ""
    return f"{_shown(key)} belongs to {hold.holder}{before}"


def hold_key(thing: str) -> HoldKey:
    """Return the key of what a person names: `8080`, `shop.example.com/api` or `db`.

    Raises Rejected.
    """
    is_number = thing.isascii() and thing.isdigit()
    if is_number and 1 <= int(thing) <= PORT_MAX:
        return HoldKey("port", str(int(thing)))

    host, slash, path = thing.partition("/")
    if (slash or "." in host) and HOST_NAME.fullmatch(host.lower()):
        return HoldKey("host", f"{host.lower()}/{path}".rstrip("/") + "/")
    if SERVICE_NAME.fullmatch(thing) and not is_number:
        return HoldKey("name", thing)

    raise Rejected(
        f"{thing!r:.80} is neither a port such as 8080, nor a host name such as "
        "shop.example.com/api, nor a default name such as db"
    )


def _held(key: HoldKey, snapshot: Snapshot) -> Held:
    held = snapshot.holds.get(key)
    if held is not None:
        return held

    raise Rejected(f"nobody holds {_shown(key)}{_others(key, snapshot.holds)}")


def _others(key: HoldKey, holds: Holds) -> str:
    """Return what a service with that name holds: a name may be meant for all of it."""
    things = sorted(
        each.thing
        for each, held in holds.items()
        if key.kind == "name" and held.holder == key.thing
    )
    return f"; the service {key.thing} holds {', '.join(things)}" if things else ""


def _check_holder(key: HoldKey, holder: str, given: str) -> None:
    is_name = SERVICE_NAME if key.kind != "name" else TEXT
    if not given or not holder or not is_name.fullmatch(holder):
        raise Rejected(f"{given or holder!r} is not like 8080=orders: write the service after =")


def _shown(key: HoldKey) -> str:
    words = {"port": "service port", "host": "the host name", "name": "the default name"}
    return f"{words[key.kind]} {key.thing.rstrip('/')}"
