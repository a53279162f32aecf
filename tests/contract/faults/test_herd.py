"""Registrars after an outage of etcd: nobody storms; and an etcd that is full, or slow."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from catalog.keys import hosts_root
from catalog.store import Delete, Put, Store
from tests.parts.etcd import Etcd
from tests.parts.herd import Herd
from tests.parts.register import PREFIX
from tests.parts.wait import let_pass, wait_for
from tests.parts.writes import Writes, most_in_a_second

HOSTS = hosts_root(PREFIX)
COUNT, INSTANCES, TTL_S = 10, 120, 6


def test_ten_registrars_after_an_outage_keep_their_leases_and_write_nothing(etcd: Etcd) -> None:
    with Herd(etcd, COUNT, INSTANCES, TTL_S) as herd, Writes(etcd, HOSTS) as writes:
        wait_for(lambda: herd.settled() == COUNT, 60, "all published")
        leases = herd.leases()
        etcd.kill()
        wait_for(lambda: not any(herd.leases()), 30, "all have noticed")
        writes.clear()
        etcd.start()
        back = time.monotonic()

        wait_for(lambda: herd.settled() == COUNT, TTL_S * 2, "all hold their hosts again")
        took_s = time.monotonic() - back

        print(
            f"converged after {took_s:.1f} s, {len(writes.puts)} puts, {len(writes.deletes)} "
            "deletes"
        )
        assert herd.leases() == leases
        assert (writes.puts, writes.deletes) == ([], [])
        assert took_s <= TTL_S


def test_ten_registrars_that_lost_everything_come_back_slowly_enough(etcd: Etcd) -> None:
    with Herd(etcd, COUNT, INSTANCES, TTL_S) as herd, Writes(etcd, HOSTS) as writes:
        wait_for(lambda: herd.settled() == COUNT, 60, "all published")
        etcd.kill()
        wait_for(lambda: not any(herd.leases()), 30, "all have noticed")
        etcd.wipe()
        writes.clear()
        etcd.start()
        back = time.monotonic()

        wait_for(lambda: herd.settled() == COUNT, TTL_S * 4, "all published again")
        took_s = time.monotonic() - back

        print(
            f"converged after {took_s:.1f} s, {len(writes.puts)} puts, at most "
            f"{most_in_a_second(writes.puts)}/s"
        )
        assert most_in_a_second(writes.puts) <= 2 * COUNT
        assert took_s <= 2 * TTL_S


def keys(etcd: Etcd) -> int:
    return etcd.ctl("get", "--prefix", "/services/v1/hosts/host-0/instances/", "--keys-only").count(
        ":80\n"
    )


def test_a_full_etcd_keeps_the_lease_and_is_not_asked_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[float] = []
    write = Store.write
    flags = ("--quota-backend-bytes=1000000",)  # the test fills the rest

    def counted(self: Store, changes: Sequence[Put | Delete], **more: Any) -> int:
        if any(hasattr(change, "value") for change in changes):
            tries.append(time.monotonic())
        return write(self, changes, **more)

    monkeypatch.setattr(Store, "write", counted)
    with Etcd(tmp_path, flags=flags) as etcd, Herd(etcd, 1, 10, TTL_S) as herd:
        wait_for(lambda: herd.settled() == 1, 30, "published")
        lease = herd.leases()
        wait_for(lambda: fill(etcd), 60, "the alarm")
        tries.clear()
        herd.all[0].show(20)
        wait_for(lambda: "catalog" in herd.all[0].health.not_ready(), 10, "it cannot put")
        assert "database space exceeded" in herd.all[0].health.not_ready()["catalog"]
        herd.all[0].show(8)
        wait_for(lambda: keys(etcd) == 8, 20, "two are withdrawn all the same")
        herd.all[0].show(20)
        began = time.monotonic()
        wait_for(
            lambda: time.monotonic() - began > 30, 40, "half a minute in which it might have asked"
        )

        print(f"{len(tries)} tries in {time.monotonic() - tries[0]:.0f} s")
        assert len(tries) <= 1 + (time.monotonic() - tries[0]) / 10
        assert herd.leases() == lease
        assert keys(etcd) == 8
        make_room(etcd)
        wait_for(
            lambda: herd.settled() == 1 and keys(etcd) == 20, 25, "all published once there is room"
        )


def fill(etcd: Etcd) -> bool:
    etcd._ctl("put", "/filler", "x" * 100_000)
    return "NOSPACE" in etcd.ctl("alarm", "list")


def make_room(etcd: Etcd) -> None:
    etcd.ctl("del", "/filler")
    etcd.ctl("compact", str(etcd.revision()))
    etcd.ctl("defrag")
    etcd.ctl("alarm", "disarm")


def test_an_etcd_that_takes_four_seconds_for_everything_loses_no_lease(etcd: Etcd) -> None:
    with Herd(etcd, 3, 10, 15) as herd, Writes(etcd, HOSTS) as writes:
        wait_for(lambda: herd.settled() == 3, 30, "published")
        leases = {one.lease for one in herd.all}
        writes.clear()
        began = time.monotonic()
        # Every request waits for up to four seconds, and those that follow on it again.
        for _ in range(6):
            etcd.pause()
            let_pass(4.0)
            etcd.resume()
            let_pass(0.1)
        print(f"{time.monotonic() - began:.0f} s of 4 s a request")

        wait_for(lambda: herd.settled() == 3, 15, "as before")
        assert {one.lease for one in herd.all} == leases
        assert (writes.puts, writes.deletes) == ([], [])
