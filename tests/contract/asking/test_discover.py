"""docker-discover is asked over a real etcd: it tells that it is there, and what HAProxy runs."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.asking.ask import (
    APPLIED,
    CONDITION,
    COUNTERS,
    EXPLAIN,
    INTERCEPTS,
    OVERRIDES,
    SERVICES,
    STUBS,
    TAP,
    UNTIL,
    Ask,
)
from catalog.asking.journal import JOURNAL
from catalog.asking.presence import Presence, decode
from catalog.asking.rendered import RENDER
from catalog.asking.said_keys import said_root
from catalog.keys import OwnerKey, ProxyKey, asks_root, hosts_root, key_of
from catalog.store import Store
from ctl.asking import Asking, Heard
from tests.parts.discover import Discover, discovering, publish, withdraw
from tests.parts.etcd import Etcd
from tests.parts.records import PREFIX, instance
from tests.parts.store import wait_until
from tests.parts.wait import wait_for

KEY = key_of(PREFIX, ProxyKey("h1"))


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Etcd]:
    with Etcd(tmp_path) as it:
        yield it


@pytest.fixture
def discover(tmp_path: Path, etcd: Etcd) -> Iterator[Discover]:
    with discovering(tmp_path / "d", etcd.endpoint, "--host-id", "h1", "--zone", "z") as it:
        wait_until(lambda: presence(etcd) is not None)
        yield it


def presence(etcd: Etcd) -> Presence | None:
    store = Store(etcd.access)
    entry = store.get(KEY)
    store.close()
    return decode(entry.value) if entry else None


def asked(etcd: Etcd, ask: Ask, within_s: float = 5) -> list[Heard]:
    with Asking(etcd.access, PREFIX) as asking:
        heard = list(asking.ask(ask, within_s))
        assert not asking.silent, asking.silent
        return heard


def revision(etcd: Etcd) -> int:
    store = Store(etcd.access)
    listing = store.list("/")
    store.close()
    return listing.revision


def test_it_tells_that_it_is_there_until_it_goes(etcd: Etcd, discover: Discover) -> None:
    found = presence(etcd)
    assert found is not None
    assert found.zone == "z"
    assert found.metrics == f"127.0.0.1:{discover.metrics}"
    assert found.listens == ("127.0.0.1",)
    assert found.haproxy.startswith(("2.", "3."))
    assert found.not_ready == ""
    assert found.kinds == (
        *(APPLIED, CONDITION, COUNTERS, EXPLAIN, INTERCEPTS, JOURNAL, OVERRIDES, RENDER),
        *(SERVICES, STUBS, TAP, UNTIL),
    )

    discover.stop(signal.SIGTERM)
    assert presence(etcd) is None


def test_it_says_what_it_has_applied_and_leaves_nothing_behind(
    etcd: Etcd, discover: Discover
) -> None:
    publish(etcd, instance(1))
    with Asking(etcd.access, PREFIX) as asking:
        heard = list(asking.ask(Ask(APPLIED), 5))
        assert heard[-1].host == "h1"
        assert heard[-1].answer.facts["revision"] >= asking.revision
        assert len(heard) <= 2

    store = Store(etcd.access)
    assert not store.list(said_root(PREFIX)).entries
    assert not store.list(asks_root(PREFIX)).entries
    store.close()


@pytest.mark.parametrize("what", ["{service}", "{port}", "{container}", "{service}:{port}"])
def test_it_explains(etcd: Etcd, discover: Discover, what: str) -> None:
    record = instance(1)
    publish(etcd, record)
    asked(etcd, Ask(APPLIED))
    name = what.format(
        service=record.service, port=record.service_port, container=record.container[:12]
    )

    (heard,) = asked(etcd, Ask(EXPLAIN, name))
    (row,) = heard.answer.rows
    assert row["service"] == record.service
    assert row["address"] == f"{record.address}:{record.port}"
    assert row["slot"] == "slot-1"
    assert row["state"].startswith(("UP", "DOWN", "no check"))
    assert heard.answer.facts["listeners"][0]["port"] == record.service_port


def test_it_explains_what_is_not_there(etcd: Etcd, discover: Discover) -> None:
    (heard,) = asked(etcd, Ask(EXPLAIN, "nobody"))
    assert heard.answer.status == "nothing"
    assert "nobody" in heard.answer.text


def test_it_tells_what_haproxy_counted(etcd: Etcd, discover: Discover) -> None:
    publish(etcd, instance(1))
    asked(etcd, Ask(APPLIED))
    (heard,) = asked(etcd, Ask(COUNTERS, instance(1).service))
    (row,) = heard.answer.rows
    assert row["stot"] == 0
    assert heard.answer.facts["worker"]


def test_a_kind_that_it_does_not_know_is_not_waited_for(etcd: Etcd, discover: Discover) -> None:
    with Asking(etcd.access, PREFIX) as asking:
        assert list(asking.ask(Ask("weather"), 60)) == []
        assert asking.unable == {("h1", "discover")}
        assert not asking.silent


def test_idle_costs_nothing(etcd: Etcd, discover: Discover) -> None:
    asked(etcd, Ask(APPLIED))
    before = revision(etcd)
    lists = discover.applied_revision
    wait_for(lambda: lists() > 0, 1, "it serves")
    # two keep-alives of its lease
    with Asking(etcd.access, PREFIX) as asking:
        list(asking.ask(Ask(EXPLAIN, "x", hosts=("other",)), 1))
    assert revision(etcd) == before + 2  # the question and its end


def test_withdrawn_instances_are_not_explained(etcd: Etcd, discover: Discover) -> None:
    publish(etcd, instance(1))
    asked(etcd, Ask(APPLIED))
    withdraw(etcd, instance(1))
    asked(etcd, Ask(APPLIED))
    (heard,) = asked(etcd, Ask(EXPLAIN, instance(1).service))
    assert not [row for row in heard.answer.rows if row["state"] == "UP"]


def test_it_takes_the_id_of_the_registrar_that_comes_after_it(tmp_path: Path, etcd: Etcd) -> None:
    def told() -> list[str]:
        keys = etcd.ctl("get", "--prefix", hosts_root(PREFIX), "--keys-only").split()
        return [key.removeprefix(hosts_root(PREFIX)) for key in keys if key.endswith("/proxy")]

    with discovering(tmp_path / "d", etcd.endpoint):
        (guessed,) = told()
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        owner = {"v": 1, "boot_id": boot_id, "host_ip": "127.0.0.1"}
        etcd.ctl("put", key_of(PREFIX, OwnerKey("h7")), json.dumps(owner))
        wait_until(lambda: told() == ["h7/proxy"], 20)
        assert guessed != "h7/proxy"
