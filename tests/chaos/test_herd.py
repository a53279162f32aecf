"""A hundred registrars with 20,000 instances and one etcd: away for 25 s, and then wiped."""

import time
from pathlib import Path

from catalog.keys import hosts_root
from tests.parts.etcd import Etcd
from tests.parts.herd import Herd
from tests.parts.register import PREFIX
from tests.parts.wait import wait_for
from tests.parts.writes import Writes, most_in_a_second

HOSTS = hosts_root(PREFIX)
COUNT, INSTANCES, TTL_S, AWAY_S = 100, 200, 15, 25


def test_a_hundred_registrars_after_an_outage(tmp_path: Path) -> None:
    with (
        Etcd(tmp_path) as etcd,
        Herd(etcd, COUNT, INSTANCES, TTL_S) as herd,
        Writes(etcd, HOSTS) as writes,
    ):
        wait_for(lambda: herd.settled() == COUNT, 240, "all published")
        leases = herd.leases()
        away(etcd, writes)
        etcd.start()
        took_s = converged(herd)

        lost = sum(now != before for now, before in zip(herd.leases(), leases, strict=True))
        print(f"kept: converged after {took_s:.1f} s; {lost} leases lost, {len(writes.puts)} puts")
        assert (lost, writes.puts, writes.deletes) == (0, [], [])
        assert took_s <= TTL_S

        away(etcd, writes)
        etcd.wipe()
        etcd.start()
        took_s = converged(herd)

        print(
            f"wiped: converged after {took_s:.1f} s; {len(writes.puts)} transactions for all "
            "instances, "
            f"at most {most_in_a_second(writes.puts)} in one second"
        )
        assert most_in_a_second(writes.puts) <= 100
        assert took_s <= TTL_S


def away(etcd: Etcd, writes: Writes) -> None:
    """Let etcd be gone for longer than any lease lives."""
    etcd.kill()
    began = time.monotonic()
    wait_for(lambda: time.monotonic() - began > AWAY_S, AWAY_S + 5, "the outage")
    writes.clear()


def converged(herd: Herd) -> float:
    """Return how long it took from now until every host holds its lease and all of its instances
    stand.
    """
    back, busy_s = time.monotonic(), time.process_time()
    wait_for(lambda: herd.settled() == COUNT, 120, "all converged")
    took_s = time.monotonic() - back
    # One process plays all hosts: one that was busy all the while tells more about this machine
    # than about them.
    print(f"this process was busy for {time.process_time() - busy_s:.1f} s of {took_s:.1f} s")
    return took_s
