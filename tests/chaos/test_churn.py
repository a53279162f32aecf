"""Row 68: ten thousand services, and twenty instances a second that come or go."""

import random
import statistics
import time
from pathlib import Path

from bench.rig.usage import cpu_s
from catalog.entries import Delete, Put
from catalog.records.record import Check, Instance, encode
from catalog.store import Store
from discover.model.proxy_config import listener_name
from tests.parts.discover import Discover
from tests.parts.etcd import Etcd
from tests.parts.records import instance, key
from tests.parts.store import put_all
from tests.parts.wait import let_pass

SERVICES, CHANGES, A_SECOND = 10_000, 600, 20
FIRST_PORT = 20_000  # to 29,999: below what the kernel gives to clients
READY_S, APPLIED_S, CORES = 120.0, 5.0, 1.0


def test_ten_thousand_services_follow_twenty_changes_a_second(tmp_path: Path) -> None:
    (folder := tmp_path / "discover").mkdir()
    tmp_path.chmod(0o755)
    with Etcd(tmp_path / "etcd") as etcd:
        store = Store(etcd.access)
        put_all(
            store,
            {
                key(one): encode(one)
                for one in (of_service(number, 0) for number in range(SERVICES))
            },
        )
        discover = Discover(folder, etcd.endpoint)
        discover.start()
        try:
            discover.wait_ready(READY_S)
            before, began = cpu_s([discover.pid()]), time.monotonic()
            took = sorted(churn(store, discover))
            cores = (cpu_s([discover.pid()]) - before) / (time.monotonic() - began)
            reloads = discover.reloads()
        finally:
            discover.end()
            store.close()

    p50, p99 = statistics.median(took), took[len(took) * 99 // 100]
    print(
        f"{len(took)} changes applied: p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms; "
        f"{cores:.2f} of a core"
    )
    assert len(took) == CHANGES
    assert p99 <= APPLIED_S
    assert cores <= CORES
    assert reloads <= 2  # the start's


def churn(store: Store, discover: Discover) -> list[float]:
    """Make the changes at their rate; return how long each took from its write to HAProxy."""
    pick = random.Random(68)
    took, pending, there = list[float](), dict[int, float](), set[int]()
    began, made = time.monotonic(), 0
    while made < CHANGES or (pending and time.monotonic() < began + CHANGES / A_SECOND + READY_S):
        if made < CHANGES and time.monotonic() >= began + made / A_SECOND:
            number = pick.choice([n for n in range(SERVICES) if n not in pending])
            pending[number] = time.monotonic()
            toggle(store, number, there)
            made += 1
        for number in [n for n in pending if is_served(discover, n) == (n in there)]:
            took.append(time.monotonic() - pending.pop(number))
        let_pass(0.005)
    return took


def toggle(store: Store, number: int, there: set[int]) -> None:
    """Add the second instance of a service, or take it away."""
    one = of_service(number, 1)
    now = store.get(key(one))
    change = Delete(key(one), now.mod_revision) if now else Put(key(one), encode(one), expected=0)
    store.write([change], lease=0)
    there ^= {number}


def is_served(discover: Discover, number: int) -> bool:
    """Whether HAProxy has the second instance of a service, and calls it."""
    one = of_service(number, 1)
    answer = discover.haproxy.adapter.ask(
        f"@1 show servers state {listener_name(one.service, FIRST_PORT + number)}"
    )
    return any(f" {one.address} 2 0 " in row for row in answer.splitlines())


def of_service(number: int, which: int) -> Instance:
    """Return the first or the second instance of a service."""
    address = f"127.{which + 1}.{number // 250}.{number % 250 + 1}"
    port, check = FIRST_PORT + number, Check(kind="none")
    return instance(
        number * 2 + which, f"s{number}", address=address, port=9000, service_port=port, check=check
    )
