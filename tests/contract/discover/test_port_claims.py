"""Ports that are claimed in etcd: one for each service, the same for all hosts, and for good.

All parts are real.
"""

import json
import random
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import Unavailable
from catalog.keys import PortKey, key_of, ports_root
from catalog.records.port_claim import encode
from catalog.records.record import Instance
from catalog.store import CHANGES_MAX, Put, Store
from discover.claims.port_claimer import claim
from discover.haproxy.ports import trial
from discover.model.proxy_config import Bind
from discover.snapshot.port_claims import PortRange, Wanted, choose
from discover.snapshot.snapshot import Snapshot, snapshot_of
from tests.parts.backend import backend
from tests.parts.discover import Discover, discovering, publish, withdraw
from tests.parts.etcd import Etcd, require_login
from tests.parts.haproxy import get, is_silent, wait_answered
from tests.parts.records import PREFIX, entry, instance
from tests.parts.wait import wait_for


def free_range(size: int) -> PortRange:
    """Return so many ports that nobody uses, below those that the kernel gives out."""
    while True:
        low = random.randrange(12000, 31000)
        with trial(
            Bind(f"127.0.0.{host}", port) for host in (1, 2, 3) for port in range(low, low + size)
        ) as unusable:
            if not unusable:
                return PortRange(low, low + size - 1)


def auto(number: int, port: int, service: str, **changes: Any) -> Instance:
    return instance(
        number, service, **{"address": "127.0.0.1", "port": port, "service_port": None, **changes}
    )


def listed(etcd: Etcd) -> Snapshot:
    """Return what stands in etcd."""
    store = Store(etcd.access)
    try:
        return snapshot_of(PREFIX, store.list(ports_root(PREFIX)))
    finally:
        store.close()


def claims(etcd: Etcd) -> dict[str, int]:
    return {service: it.port for service, it in listed(etcd).claims.items()}


def claimed(etcd: Etcd, service: str) -> int:
    return wait_for(lambda: claims(etcd).get(service, 0), 20, f"{service} has a port")


def explained(discover: Discover) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(get(discover.metrics, "/explain")[1])
    return found


def refused(discover: Discover) -> set[str]:
    """Return the code and the reason of all that is refused."""
    return {f"{it['code']}: {it['text']}" for it in explained(discover)["refused"].values()}


def wait_refused(discover: Discover, code: str, words: str, besides: str = "") -> None:
    """Wait until only this is refused, besides what has another code."""

    def is_all() -> bool:
        told = {text for text in refused(discover) if not besides or besides not in text}
        assert all(text.startswith(code) and words in text for text in told), told
        return bool(told)

    wait_for(is_all, 20, f"{code} {words}")


def test_three_claim_without_a_pause_and_none_gets_a_number_twice(etcd: Etcd) -> None:
    names = frozenset(f"service-{number}" for number in range(500))
    within = PortRange(10000, 10599)
    begin, stop = threading.Barrier(3), threading.Event()
    left: list[object] = []

    def claimer() -> None:
        store, it = Store(etcd.access), Wanted({}, names)
        store.get("/warm")
        begin.wait()
        why = claim(
            store,
            PREFIX,
            it,
            lambda known: choose(
                it, known, within, avoid=frozenset({10007}), usable=lambda port: port != 10008
            ),
            stop=stop,
        )
        left.append(why)
        store.close()

    threads = [threading.Thread(target=claimer) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    found = claims(etcd)
    assert left == [{}, {}, {}]
    assert found.keys() == names
    assert len(set(found.values())) == 500
    assert set(found.values()) <= set(range(10000, 10600)) - {10007, 10008}
    assert all(
        it.created == it.modified for it in listed(etcd).claims.values()
    )  # none was ever written over


def test_three_hosts_claim_for_500_services_once_and_all_listen_on_the_same_ports(
    tmp_path: Path, etcd: Etcd
) -> None:
    within, names = free_range(600), [f"s{number}" for number in range(500)]
    with backend("here") as port, ExitStack() as stack:
        hosts = [
            stack.enter_context(
                discovering(
                    tmp_path / f"d{host}",
                    etcd.endpoint,
                    "--port-range",
                    str(within),
                    "--bind",
                    f"127.0.0.{host}",
                )
            )
            for host in (1, 2, 3)
        ]
        store = Store(etcd.access)
        stack.callback(store.close)
        # One server is there; the others only have to be listened for.
        records = [
            entry(auto(number, port if number == 1 else number, name))
            for number, name in enumerate(names, 1)
        ]
        for at in range(0, len(records), CHANGES_MAX):
            store.write(
                [Put(it.key, it.value, 0) for it in records[at : at + CHANGES_MAX]], lease=0
            )

        found = wait_for(
            lambda: it if len(it := claims(etcd)) == len(names) else {}, 60, "all have a port"
        )
        assert len(set(found.values())) == len(names)
        wanted = {f"{service}:{service_port}" for service, service_port in found.items()}
        for host, discover in enumerate(hosts, 1):
            wait_answered(found["s0"], "here", host=f"127.0.0.{host}")
            wait_listening(discover, wanted)
            assert explained(discover)["claims"] == found
            assert refused(discover) == set()


def wait_listening(discover: Discover, wanted: set[str]) -> None:
    wait_for(lambda: set(explained(discover)["listeners"]) == wanted, 60, "all are listened for")


def test_a_port_stays_with_its_service(tmp_path: Path, etcd: Etcd) -> None:
    within = free_range(20)
    flags = ("--port-range", str(within))
    with (
        backend("one") as one,
        backend("two") as two,
        discovering(tmp_path / "d", etcd.endpoint, *flags) as discover,
    ):
        first, second = auto(1, one, "one"), auto(2, two, "two")
        publish(etcd, first, second)
        port, other = claimed(etcd, "one"), claimed(etcd, "two")
        assert within.low <= port <= within.high
        wait_answered(port, "one")
        wait_answered(other, "two")
        wait_for(lambda: not refused(discover), 10, "nothing is refused")
        quiet = etcd.revision()

        # Its service goes, and docker-discover is another: nobody else gets it, whoever names it.
        withdraw(etcd, first)
        wait_for(lambda: is_silent(port), 10, "nobody answers")
        discover.stop()
        discover.haproxy.end()
        discover.start()
        discover.wait_ready()
        discover.wait_known()
        wait_answered(other, "two")
        newcomer = auto(3, one, "newcomer", service_port=port)
        publish(etcd, newcomer)
        wait_refused(discover, "PORT_CLAIMED", "one")
        assert is_silent(port)
        withdraw(etcd, newcomer)

        # It comes back to it, also on a fixed number that says the same.
        publish(etcd, auto(4, one, "one"))
        wait_answered(port, "one")
        publish(etcd, auto(5, one, "newcomer", service_port=port, address="127.0.0.2"))
        wait_refused(discover, "PORT_CLAIMED", "one")
        wait_answered(port, "one")
        wait_answered(other, "two")
        assert claims(etcd) == {"one": port, "two": other}
        # what this test wrote itself, and that docker-discover went and came
        assert etcd.revision() == quiet + 7


def test_a_range_without_a_free_port_is_said_and_a_claim_that_is_deleted_makes_room(
    tmp_path: Path, etcd: Etcd
) -> None:
    within = free_range(2)
    with (
        backend("here") as port,
        discovering(tmp_path / "d", etcd.endpoint, "--port-range", str(within)) as discover,
    ):
        etcd.ctl("put", key_of(PREFIX, PortKey("gone")), encode(within.low).decode())
        etcd.ctl("put", key_of(PREFIX, PortKey("broken")), "nonsense")
        publish(etcd, auto(1, port, "first"))
        wait_answered(claimed(etcd, "first"), "here")

        publish(etcd, auto(2, port, "second", address="127.0.0.2"))
        discover.wait_said(f"PORT_RANGE {within} has no free port left")
        assert {text.partition(":")[0] for text in refused(discover)} == {
            "BAD_RECORD",
            "NO_SERVICE_PORT",
        }

        etcd.ctl("del", key_of(PREFIX, PortKey("gone")))
        assert claimed(etcd, "second") == within.low
        wait_for(lambda: len(explained(discover)["listeners"]) == 2, 10, "both are listened for")


def test_claims_of_an_etcd_that_is_wiped_are_put_again(tmp_path: Path, etcd: Etcd) -> None:
    within = free_range(20)
    with (
        backend("here") as port,
        discovering(tmp_path / "d", etcd.endpoint, "--port-range", str(within)) as discover,
    ):
        etcd.ctl("put", key_of(PREFIX, PortKey("absent")), encode(within.high).decode())
        publish(etcd, auto(1, port, "web"))
        service_port = claimed(etcd, "web")
        wait_answered(service_port, "here")
        wait_for(lambda: "absent" in str(explained(discover)["claims"]), 10, "both are known")

        etcd.kill()
        etcd.wipe()
        etcd.start()

        wait_for(
            lambda: claims(etcd) == {"web": service_port, "absent": within.high},
            20,
            "both are back",
        )
        wait_answered(service_port, "here")
        etcd.ctl("del", "/services", "--prefix")
        wait_for(lambda: claims(etcd).get("absent") is None, 10, "deleted")


def test_who_may_not_write_says_so_and_serves_what_others_claim(tmp_path: Path) -> None:
    within = free_range(20)
    login = ("--etcd-user", "reader", "--etcd-password", "pass")
    with Etcd(tmp_path / "etcd") as etcd:
        require_login(etcd, "reader", "read", "/services/")
        flags = ("--port-range", str(within), *login)
        with (
            backend("here") as port,
            discovering(tmp_path / "d", etcd.endpoint, *flags) as discover,
        ):
            publish(
                etcd,
                auto(1, port, "web"),
                auto(2, port, "fixed", service_port=within.high, address="127.0.0.2"),
            )
            wait_refused(discover, "NO_SERVICE_PORT", "permission denied", besides="NOT_HELD")
            assert discover.ready()

            etcd.ctl("put", key_of(PREFIX, PortKey("web")), encode(within.low).decode())
            wait_answered(within.low, "here")
            wait_for(
                lambda: all("NOT_HELD" in text for text in refused(discover)), 10, "all is served"
            )
            said = [line for line in discover.log.splitlines() if "code=NO_SERVICE_PORT" in line]
            assert len([line for line in said if "permission denied" in line]) == 1, said
            discover.wait_said("code=NOT_HELD")


class WithoutRight(Discover):
    """docker-discover, and its HAProxy, without the right to listen below 1024."""

    drop = ("setpriv", "--bounding-set", "-net_bind_service", sys.executable, "-m", "discover")
    program = ("-c", f"import os, sys; os.execvp('setpriv', [*{drop!r}, *sys.argv[1:]])")


def test_a_port_below_1024_without_the_right_is_told_and_all_else_goes_on(
    tmp_path: Path, etcd: Etcd
) -> None:
    flags = ("--port-range", str(free_range(20)))
    with (
        backend("here") as port,
        discovering(tmp_path / "d", etcd.endpoint, *flags, kind=WithoutRight) as discover,
    ):
        publish(etcd, auto(1, port + 1, "low", service_port=81), auto(2, port, "web"))

        wait_answered(claimed(etcd, "web"), "here")
        wait_refused(discover, "PORT_IN_USE", "81: a port below 1024 needs")


def test_a_store_that_is_closed_ends_a_claim(etcd: Etcd) -> None:
    store = Store(etcd.access)
    store.close()
    it = Wanted({}, frozenset({"web"}))

    with pytest.raises(Unavailable):
        claim(store, PREFIX, it, lambda _known: {"web": 1}, stop=threading.Event())
