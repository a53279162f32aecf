"""What etcd says of whose ports, host names and default names are."""

from catalog.keys import HoldKey, holds_root
from catalog.store import Store
from discover.snapshot.belongs import Held
from discover.snapshot.snapshot import snapshot_of
from tests.parts.etcd import Etcd
from tests.parts.records import PREFIX
from tests.parts.wait import wait_for


def holds_in(etcd: Etcd) -> dict[HoldKey, Held]:
    """Return all holds."""
    store = Store(etcd.access)
    try:
        return dict(snapshot_of(PREFIX, store.list(holds_root(PREFIX))).holds)
    finally:
        store.close()


def holder_in(etcd: Etcd, key: HoldKey) -> str:
    """Return who holds a thing; empty if nobody does."""
    held = holds_in(etcd).get(key)
    return held.holder if held else ""


def wait_held(etcd: Etcd, key: HoldKey, holder: str, within_s: float = 10) -> None:
    """Return when a thing has this holder."""
    wait_for(lambda: holder_in(etcd, key) == holder, within_s, f"{holder} holds {key.thing}")
