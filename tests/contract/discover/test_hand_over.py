"""What a person may change by --release and --hand-over, and what is refused with which words."""

from collections.abc import Callable, Iterator

import pytest

from catalog.entries import Listing
from catalog.errors import Rejected
from catalog.keys import HoldKey, PortKey, key_of
from catalog.records.hold import Hold, encode
from catalog.records.origin import of_compose
from catalog.records.port_claim import encode as claim_of
from catalog.store import Put, Store
from discover.claims.hand_over import hand_over, release
from discover.snapshot.snapshot import snapshot_of
from tests.parts.catalogs import SINCE
from tests.parts.discover import discover_command, publish, withdraw
from tests.parts.etcd import Etcd
from tests.parts.records import PREFIX, instance, web

PORT, UNREAD = HoldKey("port", "8000"), HoldKey("port", "8009")
NAME, HOST = HoldKey("name", "db"), HoldKey("host", "intranet/")
SHOP, BLOG = of_compose("shop", "db"), of_compose("blog", "db")


@pytest.fixture
def store(etcd: Etcd) -> Iterator[Store]:
    publish(
        etcd,
        instance(1, "alpha"),
        instance(2, "beta"),
        instance(3, "db", service_port=8001, origin=SHOP),
        instance(4, "db", service_port=8001, origin=BLOG),
        web(5, "intra", service_port=8002, hosts=("intranet",)),
    )
    opened = Store(etcd.access)
    put(opened, PORT, encode(Hold("alpha", SINCE)))
    put(opened, NAME, encode(Hold(SHOP, SINCE)))
    put(opened, HOST, encode(Hold("intra", SINCE)))
    put(opened, UNREAD, b"garbage")
    put(opened, PortKey("auto"), claim_of(10007))
    yield opened
    opened.close()


def put(store: Store, key: HoldKey | PortKey, value: bytes) -> None:
    store.write([Put(key_of(PREFIX, key), value, expected=0)], lease=0)


def holders(store: Store) -> dict[HoldKey, str]:
    holds = snapshot_of(PREFIX, store.list(f"{PREFIX}/v1/")).holds
    return {key: held.holder for key, held in holds.items()}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("8000=ordres", "ordres has no instance that asks for service port 8000; .*: alpha, beta"),
        ("8001=beta", "beta has no instance that asks for service port 8001"),
        ("10007=beta", "beta has no instance that asks for service port 10007"),
        ("db=other", "other has no instance .*: 'compose project blog, service db', 'comp"),
        ("8000", "'8000' is not like 8080=orders"),
        ("8000=", "'8000=' is not like 8080=orders"),
        ("8000=Be ta", "'8000=Be ta' is not like 8080=orders"),
        ("=beta", "is neither a port"),
    ],
)
def test_nothing_goes_to_who_would_not_use_it(store: Store, given: str, why: str) -> None:
    before = holders(store)

    with pytest.raises(Rejected, match=why):
        hand_over(store, PREFIX, given)
    assert holders(store) == before


@pytest.mark.parametrize(
    ("given", "key", "holder"),
    [
        (" 8000 = beta ", PORT, "beta"),
        ("db=blog-db", NAME, BLOG),
        (f"db={BLOG}", NAME, BLOG),
        ("intranet/=intra", HOST, "intra"),
    ],
)
def test_who_asks_for_a_thing_gets_it(store: Store, given: str, key: HoldKey, holder: str) -> None:
    assert f"belongs to {holder}" in hand_over(store, PREFIX, given)
    assert holders(store)[key] == holder


@pytest.mark.parametrize(
    ("thing", "why"),
    [
        ("8000", "alpha, which has instances and would take it again"),
        ("intranet", "nobody holds the default name intranet; the host name is held: .* intranet/"),
        ("alpha", "nobody holds the default name alpha; the service alpha holds 8000"),
        ("10007", "it is claimed for auto; to free it, delete /services/v1/ports/auto in etcd"),
    ],
)
def test_what_cannot_be_freed_says_what_could(store: Store, thing: str, why: str) -> None:
    before = holders(store)

    with pytest.raises(Rejected, match=why):
        release(store, PREFIX, thing)
    assert holders(store) == before


def test_a_hold_that_cannot_be_read_is_freed_or_given_by_hand(store: Store) -> None:
    assert "could not be read" in release(store, PREFIX, "8009")
    put(store, UNREAD, b"garbage")

    with pytest.raises(Rejected, match="beta has no instance that asks"):
        hand_over(store, PREFIX, "8009=beta")
    assert "is free" in release(store, PREFIX, "8009")
    with pytest.raises(Rejected, match="nobody holds service port 8009"):
        release(store, PREFIX, "8009")


class Overtaken(Store):
    """A store in which somebody else does something between a look and the write."""

    meanwhile: Callable[[], object]

    def list(self, prefix: str, *, values: bool = True, revision: int = 0) -> Listing:
        """List, and let the other one act."""
        seen = super().list(prefix, values=values, revision=revision)
        self.meanwhile()
        return seen


@pytest.mark.parametrize("command", [hand_over, release])
def test_one_that_is_overtaken_changes_nothing_and_is_told(
    etcd: Etcd, store: Store, command: Callable[[Store, str, str], str]
) -> None:
    is_release = command is release
    if is_release:
        withdraw(etcd, instance(1, "alpha"))
    slow = Overtaken(etcd.access)
    slow.meanwhile = lambda: hand_over(store, PREFIX, "8000=beta")

    with pytest.raises(Rejected, match="somebody else changed it at the same moment; run it again"):
        command(slow, PREFIX, "8000" if is_release else "8000=alpha")

    slow.close()
    assert holders(store)[PORT] == "beta"


def test_what_is_misspelt_is_status_2_and_what_is_refused_1(etcd: Etcd, store: Store) -> None:
    def status(*flags: str) -> int:
        return discover_command("--etcd-host", etcd.endpoint, *flags).returncode

    assert status("--release", "http://shop.test/") == 2
    assert status("--hand-over", "8000") == 2
    assert status("--hand-over", "8000=ordres") == 1
    assert status("--hand-over", "8000=beta") == 0
