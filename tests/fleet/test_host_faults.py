"""Whole hosts that die, and links that are cut. The numbers are those of the fault catalogue."""

import time

from bench.load import Load
from lab.fleet import Fleet
from lab.host import Host
from lab.wait import wait_for
from tests.parts.fleet.invariants import Witness, deleted, settle
from tests.parts.fleet.service import Service

NOTICED_S = 6.0  # a dead server gets no more calls after this
PAST_THE_LEASE_S = 5.0


def slow_after(loads: list[Load], moment_ns: int) -> list[float]:
    """Return when calls began, in seconds after a moment, that took more than half a second."""
    return [
        (began - moment_ns) / 1e9
        for load in loads
        for began, _ in load.slow_moments()
        if began > moment_ns
    ]


def is_called(host: Host, container: str) -> bool:
    """Whether a host's HAProxy would call a container."""
    return any(
        server.up for name, server in host.servers().items() if name.startswith(container[:12])
    )


# Row 61
def test_a_host_that_dies_is_called_no_more_and_leaves(
    fleet: Fleet, service: Service, witness: Witness
) -> None:
    dead, _, _ = service.run_on(*fleet.hosts)

    with service.load(fleet.h2, fleet.h3) as loads:
        died_s, died_ns = time.monotonic(), time.time_ns()
        fleet.h1.die()
        for host in (fleet.h2, fleet.h3):
            wait_for(lambda at=host: not is_called(at, dead), 20, f"{host.name} calls h1 no more")  # type: ignore[misc]
        noticed_s = time.monotonic() - died_s
        wait_for(
            lambda: not any("/hosts/h1/" in key for key in fleet.etcd.entries()),
            40,
            "h1's keys are gone",
        )
        gone_s = time.monotonic() - died_s

    fleet.note(f"noticed after {noticed_s:.2f} s, record gone after {gone_s:.2f} s")
    assert [load.lost() for load in loads] == [{}, {}]
    assert noticed_s <= NOTICED_S
    assert all(after <= NOTICED_S for after in slow_after(loads, died_ns))
    assert gone_s <= fleet.h1.ttl_s + 1
    assert not witness.backwards()
    assert not witness.left_without_cause(excused=[dead])

    fleet.h1.boot()
    fleet.h1.engine.wait()
    settle(fleet, within_s=60)


# Row 60
def test_hosts_that_cannot_reach_each_other_use_what_they_reach(
    fleet: Fleet, service: Service
) -> None:
    service.run_on(fleet.h1, fleet.h2)

    with service.load(*fleet.hosts) as loads:
        cut_s, cut_ns = time.monotonic(), time.time_ns()
        before = fleet.etcd.revision()
        fleet.h1.isolate_from([fleet.h2.address, fleet.h3.address])
        apart_ns = time.time_ns()
        wait_for(lambda: time.monotonic() - cut_s > 2 * NOTICED_S, 30, "the partition lasts")
        mended_ns = time.time_ns()
        fleet.h1.machine.unblock()
        settle(fleet)
        wait_for(lambda: len(service.answered_by(fleet.h3)) == 2, 20, "both are called again")

    lost = [moment for load in loads for moment in load.moments()]
    assert lost == [], (cut_ns, apart_ns)
    assert [
        after
        for after in slow_after(loads, cut_ns)
        if NOTICED_S < after < (mended_ns - cut_ns) / 1e9
    ] == []
    assert deleted(fleet.etcd.history(before)) == []


# Row 59
def test_a_host_without_etcd_is_called_and_calls(
    fleet: Fleet, service: Service, witness: Witness
) -> None:
    away, reachable = service.run_on(fleet.h1, fleet.h2)
    alone = Service(fleet)
    alone.run_on(fleet.h1)

    with service.load(*fleet.hosts) as loads, alone.load(*fleet.hosts) as alone_loads:
        cut_s = time.monotonic()
        fleet.h1.isolate_from([member.address for member in fleet.etcd.members])
        lasts_s = fleet.h1.ttl_s + PAST_THE_LEASE_S
        wait_for(lambda: time.monotonic() - cut_s > lasts_s, lasts_s + 5, "longer than the lease")
        assert not any("/hosts/h1/" in key for key in fleet.etcd.entries())
        assert all(is_called(host, each) for host in fleet.hosts for each in (away, reachable))
        fleet.h1.machine.unblock()
        settle(fleet, within_s=30)

    assert [load.lost() for load in (*loads, *alone_loads)] == [{}] * 6
    assert not witness.left_without_cause()
    assert not witness.backwards()
