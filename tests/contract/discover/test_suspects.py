"""What docker-discover removes, and on which evidence: a real etcd, a real HAProxy, hosts that are
leases.
"""

import contextlib
from typing import Any

import pytest

from catalog.records.record import Check, Instance
from tests.parts import records
from tests.parts.backend import backend
from tests.parts.caller import Caller
from tests.parts.discover import Discover
from tests.parts.etcd import Etcd
from tests.parts.haproxy import get, wait_answered
from tests.parts.hosts import LeasedHost, claimed
from tests.parts.ports import free_port
from tests.parts.wait import wait_for


def local(
    number: int, port: int, service_port: int, service: str = "whoami", **changes: Any
) -> Instance:
    """Return the record of an http instance on loopback."""
    return records.local(number, port, service_port, service, **{"mode": "http", **changes})


def metric(discover: Discover, name: str) -> float:
    lines = get(discover.metrics, "/metrics")[1].splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"tandem_{name} ")))


def wait_suspects(discover: Discover, count: int) -> None:
    wait_for(lambda: len(discover.explain()["suspects"]) == count, 10, f"{count} suspects")


def test_a_host_that_loses_its_lease_is_called_while_it_lives(
    etcd: Etcd, discover: Discover
) -> None:
    port = free_port()
    with contextlib.ExitStack() as dying:
        one = dying.enter_context(backend("one"))
        host = LeasedHost(etcd, "h1").claim().put(local(1, one, port))
        wait_answered(port, "one")

        with Caller(port) as caller:
            host.expire()
            wait_suspects(discover, 1)
            wait_for(lambda: len(caller.replies) > 300, 60, "calls go on")
        assert (caller.failed, set(caller.replies)) == ([], {"one"})

        suspect = discover.explain()["suspects"][host.key(local(1, one, port))]
        assert (suspect["reason"], suspect["frozen"]) == ("expired", False)
        assert (metric(discover, "discover_suspects"), metric(discover, "discover_frozen")) == (
            1,
            0,
        )

    # Its program ends: HAProxy's check says so, and that is the evidence.
    discover.wait_said("its check fails", 15)
    wait_suspects(discover, 0)
    assert get(port)[0] == 503


def test_an_explicit_delete_is_honoured_at_once_to_zero(etcd: Etcd, discover: Discover) -> None:
    port = free_port()
    with backend("one") as one:
        host = LeasedHost(etcd, "h1").claim().put(local(1, one, port))
        wait_answered(port, "one")

        host.delete(local(1, one, port))

        wait_for(lambda: get(port)[0] == 503, 1, "503 from the same listener")
        assert discover.explain()["suspects"] == {}


def test_a_host_that_returns_loses_no_call(etcd: Etcd, discover: Discover) -> None:
    port = free_port()
    with backend("one") as one:
        host = LeasedHost(etcd, "h1").claim().put(local(1, one, port))
        wait_answered(port, "one")

        with Caller(port) as caller:
            host.expire()
            wait_suspects(discover, 1)
            before = discover.explain()["revision"]
            host.claim()
            wait_for(lambda: discover.explain()["revision"] > before, 10, "it is seen")
            host.put(local(1, one, port))
            wait_suspects(discover, 0)
        assert (caller.failed, set(caller.replies)) == ([], {"one"})


def test_no_call_goes_to_another_program_at_a_suspect_s_address(
    etcd: Etcd, discover: Discover
) -> None:
    port, other = free_port(), free_port()
    with backend("one") as one:
        host = LeasedHost(etcd, "h1").claim().put(local(1, one, port))
        wait_answered(port, "one")
        host.expire()
        wait_suspects(discover, 1)

        LeasedHost(etcd, "h2").claim().put(local(2, one, other, "another"))

        wait_for(lambda: get(port)[0] == 503, 1, "the suspect is gone")
        wait_answered(other, "one")


def test_the_opt_outs_go_with_their_lease(etcd: Etcd, discover: Discover) -> None:
    dropped, unchecked = free_port(), free_port()
    with backend("one") as one, backend("two") as two:
        drop = local(1, one, dropped, "primary", on_absence="drop")
        host = (
            LeasedHost(etcd, "h1")
            .claim()
            .put(drop, local(2, two, unchecked, "mute", check=Check("none")))
        )
        wait_answered(dropped, "one")
        wait_answered(unchecked, "two")

        host.expire()

        wait_for(lambda: (get(dropped)[0], get(unchecked)[0]) == (503, 503), 5, "both are gone")


def test_a_purged_host_is_gone_within_five_seconds(etcd: Etcd, discover: Discover) -> None:
    port = free_port()
    with backend("one") as one:
        host = LeasedHost(etcd, "h1").claim().put(local(1, one, port))
        wait_answered(port, "one")
        host.expire()
        wait_suspects(discover, 1)

        etcd.ctl("put", "/services/v1/hosts/h1/purge", "")

        wait_for(lambda: get(port)[0] == 503, 5, "it is gone")
        assert discover.explain()["purged"] == ["h1"]


@pytest.mark.parametrize("how", ["wiped", "prefix deleted", "all leases revoked"])
def test_a_lost_store_removes_nothing_and_its_return_thaws(
    etcd: Etcd, discover: Discover, how: str
) -> None:
    ports = [free_port() for _ in range(3)]
    with contextlib.ExitStack() as stack:
        backends = [stack.enter_context(backend(f"b{n}")) for n in range(3)]
        records = [local(n + 1, backends[n], ports[n], f"s{n}") for n in range(3)]
        hosts = claimed(etcd, ["h1", "h2", "h3"])
        for host, record in zip(hosts, records, strict=True):
            host.put(record)
        for number, port in enumerate(ports):
            wait_answered(port, f"b{number}")
        reloads = discover.reloads()

        callers = [stack.enter_context(Caller(port)) for port in ports]
        if how == "wiped":
            etcd.kill()
            etcd.wipe()
            etcd.start()
        elif how == "prefix deleted":
            etcd.ctl("del", "--prefix", "/")
        else:
            for host in hosts:
                host.expire()
        wait_for(lambda: metric(discover, "discover_frozen") == 1, 20, "removals are frozen")
        wait_suspects(discover, 3)
        discover.wait_said("removals are frozen")

        # A new instance and an explicit delete of the living apply all the same.
        extra = local(9, backends[0], free_port(), "extra", address="127.0.0.2")
        hosts[0].claim().put(extra)
        wait_for(lambda: "extra" in get(discover.metrics, "/explain")[1], 10, "it is added")
        hosts[0].delete(extra)
        for host, record in zip(hosts, records, strict=True):
            host.claim().put(record)
        wait_suspects(discover, 0)
        wait_for(lambda: metric(discover, "discover_frozen") == 0, 5, "it has thawed")
        discover.wait_said("removals are no longer frozen")

        assert [caller.failed for caller in callers] == [[], [], []]
        assert [set(caller.replies) for caller in callers] == [{"b0"}, {"b1"}, {"b2"}]
        assert discover.reloads() <= reloads + 2, "only the extra service is a new listener"


def test_suspects_outlive_a_restart(etcd: Etcd, discover: Discover) -> None:
    port = free_port()
    with backend("one") as one:
        host = LeasedHost(etcd, "h1").claim().put(local(1, one, port))
        wait_answered(port, "one")
        host.expire()
        wait_suspects(discover, 1)
        before = discover.explain()["suspects"]
        saved = discover.folder / "snapshot"
        wait_for(lambda: '"suspect"' in saved.read_text(), 5, "the suspect is saved")

        with Caller(port) as caller:
            discover.kill()
            discover.start()
            discover.wait_ready()
            assert discover.explain()["suspects"] == before
        assert (caller.failed, set(caller.replies)) == ([], {"one"})
