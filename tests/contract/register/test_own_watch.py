"""Keys of a host deleted or overwritten behind its registrar's back, with a real etcd: rows 23 and
36.
"""

import contextlib
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from catalog.keys import hosts_root
from catalog.store import Store
from tests.parts.etcd import Etcd
from tests.parts.herd import Herd
from tests.parts.register import PREFIX, Catalog, Register
from tests.parts.scripted_engine import answers_of, scripted_engine
from tests.parts.wait import wait_for
from tests.parts.writes import Writes

HOST = f"{PREFIX}/v1/hosts/h1"
OWNER, INSTANCES = f"{HOST}/owner", f"{HOST}/instances/"


@contextlib.contextmanager
def registrar(etcd: Etcd, catalog: Catalog, folder: Path) -> Iterator[Register]:
    """Run one with the default TTL, so that no keepalive or comparison repairs anything in time."""
    with (
        scripted_engine(answers_of(3)) as docker_host,
        Register(folder, etcd, wait=False, DOCKER_HOST=docker_host, TTL="15") as register,
    ):
        wait_for(lambda: len(catalog.entries()) == 4, 20, "published")
        wait_for(lambda: watchers(etcd) == 2, 10, "it watches its keys, and questions")
        yield register


def watchers(etcd: Etcd) -> int:
    """Return how many watches etcd has, by its own metrics."""
    with urllib.request.urlopen(f"http://{etcd.endpoint}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return int(
        float(
            next(
                line for line in lines if line.startswith("etcd_debugging_mvcc_watcher_total")
            ).split()[1]
        )
    )


def lease_of(etcd: Etcd) -> str:
    return f"{json.loads(etcd.ctl('get', OWNER, '--write-out=json'))['kvs'][0]['lease']:x}"


def took_s(catalog: Catalog, condition: Callable[[], bool], within_s: float) -> float:
    began = time.monotonic()
    wait_for(condition, within_s + 15, "repaired")
    return time.monotonic() - began


@pytest.mark.parametrize("what", ["deleted", "overwritten", "a key too many"])
def test_a_record_is_repaired_within_a_second(
    etcd: Etcd, catalog: Catalog, tmp_path: Path, what: str
) -> None:
    """Row 23."""
    with registrar(etcd, catalog, tmp_path):
        before = catalog.entries()
        key = next(key for key in before if "/scripted-2/" in key)
        if what == "deleted":
            etcd.ctl("del", key)
        elif what == "overwritten":
            etcd.ctl("put", key, "{}")
        else:
            etcd.ctl("put", key.replace("scripted-2", "other"), "{}")
        seconds = took_s(catalog, lambda: catalog.entries() == before, 1)

    print(f"{what}: as before after {seconds:.2f} s")
    assert seconds <= 1


def test_a_revoked_lease_is_replaced_within_a_second(
    etcd: Etcd, catalog: Catalog, tmp_path: Path
) -> None:
    """Row 23."""
    with registrar(etcd, catalog, tmp_path):
        before = catalog.entries().keys()
        etcd.ctl("lease", "revoke", lease_of(etcd))
        seconds = took_s(catalog, lambda: catalog.entries().keys() == before, 1)
        etcd.ctl("lease", "revoke", lease_of(etcd))
        second = took_s(catalog, lambda: catalog.entries().keys() == before, 4)

    print(f"lease revoked: all back after {seconds:.2f} s; the second time {second:.2f} s")
    assert seconds <= 1
    assert second <= 4  # a fifth of the TTL at random, and a second


@pytest.mark.parametrize("prefix", [f"{PREFIX}/", "/"])
def test_a_deleted_prefix_is_written_anew_within_two_seconds(
    etcd: Etcd, catalog: Catalog, tmp_path: Path, prefix: str
) -> None:
    """Row 36."""
    with registrar(etcd, catalog, tmp_path):
        before = catalog.entries().keys()
        etcd.ctl("del", "--prefix", prefix)
        seconds = took_s(catalog, lambda: catalog.entries().keys() == before, 2)

    print(f"prefix deleted: all back after {seconds:.2f} s")
    assert seconds <= 2


def test_a_deleted_prefix_of_ten_hosts_is_written_anew_by_few_transactions(etcd: Etcd) -> None:
    """Row 36."""
    with Herd(etcd, 10, 120, 15) as herd:
        wait_for(lambda: herd.settled() == 10 and watchers(etcd) == 10, 60, "all published")
        keys = etcd.ctl("get", "--prefix", PREFIX, "--keys-only")
        with Writes(etcd, hosts_root(PREFIX)) as writes:
            etcd.ctl("del", "--prefix", PREFIX)
            began = time.monotonic()
            wait_for(
                lambda: etcd.ctl("get", "--prefix", PREFIX, "--keys-only") == keys,
                20,
                "all written anew",
            )
            seconds = time.monotonic() - began

            print(
                f"{keys.count(':80')} instances of ten hosts back after {seconds:.2f} s, "
                f"{len(writes.puts)} puts"
            )
            assert len(writes.puts) <= 30  # the owner, and two transactions


def test_own_changes_are_neither_read_nor_written_again(
    etcd: Etcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists: list[str] = []
    original = Store.list

    def counted(self: Store, prefix: str, **more: bool) -> object:
        lists.append(prefix)
        return original(self, prefix, **more)

    with Herd(etcd, 1, 10, 15) as herd:
        one = herd.all[0]
        wait_for(lambda: herd.settled() == 1 and watchers(etcd) == 1, 20, "published")
        wait_for(lambda: not one.own_keys.are_doubtful(), 10, "read since the watch began")
        monkeypatch.setattr(Store, "list", counted)
        before = etcd.revision()
        for count in (11, 5, 20):
            one.show(count)
            wait_for(lambda n=count: len(one.own_keys.entries or ()) == n, 10, "written")  # type: ignore[misc]
        began = time.monotonic()
        wait_for(lambda: time.monotonic() > began + 1, 2, "time for an echo")

        assert etcd.revision() == before + 3
        assert lists == []


def test_one_who_deletes_all_the_time_is_answered_once_a_second(
    etcd: Etcd, catalog: Catalog, tmp_path: Path
) -> None:
    with registrar(etcd, catalog, tmp_path), Writes(etcd, HOST) as writes:
        key = next(key for key in catalog.entries() if "/scripted-2/" in key)
        began = time.monotonic()
        while time.monotonic() - began < 6:
            etcd.ctl("del", key)
        fought = len(writes.puts)
        wait_for(lambda: catalog.instance("scripted-2"), 5, "it stays")
        writes.clear()
        while time.monotonic() - began < 12:
            etcd.ctl("del", OWNER)
        claims = len(writes.puts)

    print(f"{fought} puts against 6 s of deletes; then {claims} against 6 s of lost owner keys")
    assert fought <= 3 + 6 + 1
    assert claims <= 2 * (2 + 6)  # each claim puts the owner key, then the instances
