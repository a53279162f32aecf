"""The watch and its audit, on a real etcd: what was missed is found and put right, and an idle
audit writes nothing.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from discover.snapshot import audit as audits
from discover.snapshot.audit import Audit
from discover.snapshot.etcd_watch import CatalogWatch
from discover.snapshot.keeper import Learned
from discover.snapshot.snapshot import EMPTY, Snapshot
from sidecar.status.health import Health
from sidecar.status.metrics import Metrics
from tests.parts.etcd import Etcd
from tests.parts.hosts import LeasedHost
from tests.parts.records import PREFIX, instance
from tests.parts.wait import wait_for


class Followed:
    """A watch that runs, its audit, and what they said."""

    def __init__(self, etcd: Etcd, latest: Snapshot = EMPTY) -> None:
        self.steps: list[Learned] = []
        self.metrics = Metrics()
        self.good = 0
        self.watch = CatalogWatch(
            etcd.access,
            PREFIX,
            latest=latest,
            seen_s=None,
            learned=self.steps.append,
            heard=lambda: None,
            health=Health(stuck_after_s=60),
        )
        self.audit = Audit(
            etcd.access,
            PREFIX,
            latest=self.watch.listed,
            good=self.confirmed,
            resync=self.watch.resync,
            metrics=self.metrics,
        )

    def confirmed(self) -> None:
        self.good += 1

    def count(self, result: str) -> int:
        line = f'tandem_discover_audits_total{{result="{result}"}} '
        text = self.metrics.text().decode()
        return int(float(text.partition(line)[2].partition("\n")[0] or 0))

    def records(self) -> int:
        return len(self.watch.latest.records)


@contextlib.contextmanager
def following(etcd: Etcd, latest: Snapshot = EMPTY) -> Iterator[Followed]:
    it = Followed(etcd, latest)
    thread = threading.Thread(target=it.watch.run, name="watch")
    thread.start()
    try:
        wait_for(it.watch.listed, 20, "the first listing")
        yield it
    finally:
        it.watch.interrupt()
        it.audit.interrupt()
        thread.join(10)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audits, "AGAIN_S", 0.2)


def test_what_is_as_etcd_has_it_is_confirmed_and_nothing_is_written(etcd: Etcd, soon: None) -> None:
    host = LeasedHost(etcd, "h1").claim().put(instance(1), instance(2))
    with following(etcd) as it:
        host.put(instance(1))
        etcd.ctl("put", "/services/v1/hosts/h1/purge", "")
        wait_for(lambda: it.watch.latest.purged, 10, "the watch has all")
        before = etcd.revision()

        it.audit.once()

        assert (it.good, it.count("ok"), it.count("mismatch")) == (1, 1, 0)
        assert etcd.revision() == before


@pytest.mark.parametrize("wrong", ["ghost", "missing", "stale"])
def test_what_the_watch_missed_is_put_right(etcd: Etcd, soon: None, wrong: str) -> None:
    host = LeasedHost(etcd, "h1").claim().put(instance(1), instance(2))
    with following(etcd) as it:
        right = it.watch.latest
        if wrong == "ghost":
            host.delete(instance(2))
            wait_for(lambda: it.records() == 1, 10, "the delete is seen")
            it.watch.latest = right
        elif wrong == "missing":
            it.watch.latest = replace(right, services={})
        else:
            host.put(instance(1, weight=7))
            wait_for(lambda: not it.watch.latest.same_as(right), 10, "the put is seen")
            it.watch.latest = right
        listed = len(it.steps)

        it.audit.once()
        wait_for(lambda: len(it.steps) > listed, 10, "a new listing")

        assert it.count("mismatch") == 1
        it.audit.once()
        assert it.count("ok") == 1


def test_an_etcd_that_is_away_is_no_mismatch(etcd: Etcd, soon: None) -> None:
    with following(etcd) as it:
        etcd.kill()
        it.audit.once()

        assert (it.count("unavailable"), it.count("mismatch")) == (1, 0)


@pytest.mark.parametrize("again", ["empty", "to the same revision", "past it"])
def test_a_store_that_was_wiped_proves_nothing_gone(etcd: Etcd, again: str) -> None:
    host = LeasedHost(etcd, "h1").claim().put(instance(1), instance(2))
    with following(etcd) as it:
        earlier = it.watch.latest
    etcd.kill()
    etcd.wipe()
    etcd.start()
    if again != "empty":
        host.claim().put(instance(1))
        for _ in range(1 if again == "to the same revision" else 9):
            etcd.ctl("put", "/elsewhere", "")

    with following(etcd, earlier) as it:
        reasons = {reason for step in it.steps for reason in step.departures.values()}
        same_cluster = it.steps[0].snapshot.cluster == earlier.cluster

    assert same_cluster, "etcd makes the cluster's id of names and addresses: it tells nothing here"
    assert reasons == ({"rewound"} if again == "empty" else {"expired"})


def test_history_that_was_compacted_meanwhile_is_no_removal(etcd: Etcd) -> None:
    LeasedHost(etcd, "h1").claim().put(instance(1), instance(2))
    with following(etcd) as it:
        earlier = it.watch.latest
    for number in range(20):
        etcd.ctl("put", "/elsewhere", str(number))
    etcd.ctl("compact", str(etcd.revision()))

    with following(etcd, earlier) as it:
        assert it.records() == 2
        assert [step.departures for step in it.steps] == [{}]
