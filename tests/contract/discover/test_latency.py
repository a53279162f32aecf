"""How long a start took is a metric, with what is there at the beginning left out."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.asking.ask import EXPLAIN, Ask
from catalog.records.record import Instance
from ctl.asking import Asking
from tests.parts.discover import Discover, discovering
from tests.parts.etcd import Etcd
from tests.parts.haproxy import get
from tests.parts.hosts import LeasedHost
from tests.parts.ports import free_port
from tests.parts.records import PREFIX, local
from tests.parts.wait import wait_for


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Etcd]:
    with Etcd(tmp_path) as it:
        yield it


def started(number: int, service: str, ago_s: float = 0.0) -> Instance:
    started_ms = round(1000 * (time.time() - ago_s))
    return local(number, free_port(), free_port(), service, started_ms=started_ms)


def counted(discover: Discover, name: str) -> dict[str, int]:
    text = get(discover.metrics, "/metrics")[1]
    found = re.findall(rf"^tandem_discover_start_to_applied_{name}{{(.*)}} (\S+)$", text, re.M)
    return {labels: int(float(value)) for labels, value in found if float(value)}


def test_starts_are_counted_by_where_they_were(tmp_path: Path, etcd: Etcd) -> None:
    own, other = LeasedHost(etcd, "h1").claim(), LeasedHost(etcd, "h2").claim()
    own.put(started(1, "old", 5))

    with discovering(tmp_path / "d", etcd.endpoint, "--host-id", "h1") as discover:
        own.put(started(2, "orders"))
        other.put(started(3, "pets"), started(4, "odd", ago_s=-60))
        wait_for(lambda: counted(discover, "skipped_total"), 10, "all of it is applied")

        both = {'where="own"': 1, 'where="other"': 1}
        wait_for(lambda: counted(discover, "seconds_count") == both, 10, "both are counted")
        skipped = {'reason="before_its_start",where="other"': 1}
        assert counted(discover, "skipped_total") == skipped

        with Asking(etcd.access, PREFIX) as asking:
            (heard,) = asking.ask(Ask(EXPLAIN, "orders"), 5)
        told = heard.answer.facts["start_to_applied"]
        assert (told["own"]["count"], told["other"]["count"]) == (1, 1)
        assert 0 < told["own"]["p50_ms"] < 10_000

        discover.kill()
        discover.start()
        discover.wait_ready()
        own.put(started(5, "later"))
        wait_for(lambda: counted(discover, "seconds_count"), 10, "a start after a restart")
        assert counted(discover, "seconds_count") == {'where="own"': 1}
