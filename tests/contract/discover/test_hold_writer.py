"""Those who write holds, several beside each other at one real etcd: how often they write, and
what they do when they may not, or see different things.
"""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.access import Access
from catalog.keys import HoldKey, key_of
from catalog.store import Store
from discover.claims import hold_writer
from discover.claims.hold_writer import HoldProblem, HoldWriter
from discover.model.proxy_config import ProxyConfig
from discover.snapshot.belongs import Held
from discover.snapshot.etcd_watch import CatalogWatch
from discover.snapshot.keeper import Keeper, Learned
from discover.snapshot.snapshot import EMPTY, Snapshot
from sidecar.status.health import Health
from sidecar.status.metrics import Metrics
from sidecar.trigger import Trigger
from tests.parts.configs import PROCESS, config_of
from tests.parts.discover import publish, withdraw
from tests.parts.etcd import Etcd, require_login
from tests.parts.holds import holder_in, holds_in
from tests.parts.records import PREFIX, instance, snapshot, web
from tests.parts.wait import assert_holds, wait_for

PORT = HoldKey("port", "8000")
ALPHA, BETA = instance(1, "alpha"), instance(2, "beta")

Sight = Callable[[Snapshot], Snapshot]


class Host:
    """One docker-discover without HAProxy, which `runs` what a test says."""

    def __init__(
        self,
        access: Access,
        sight: Sight,
        runs: Callable[[], ProxyConfig | None],
        domain: str = "",
    ) -> None:
        self._stop = threading.Event()
        self._changed = Trigger()
        self._sight = sight
        self.keeper = Keeper(None, had_file=False, changed=self._changed, metrics=Metrics())
        self.problem = HoldProblem(self._changed)
        self._watch = CatalogWatch(
            access,
            PREFIX,
            latest=EMPTY,
            seen_s=None,
            learned=self._learned,
            heard=self.keeper.confirm,
            health=Health(stuck_after_s=60),
        )
        self.writer = HoldWriter(
            access,
            PREFIX,
            domain=domain,
            ttl_s=600,
            keeper=self.keeper,
            runs=runs,
            problem=self.problem,
        )
        self._threads = [
            threading.Thread(target=target)
            for target in (self._watch.run, self._apply, self.writer.run)
        ]

    def _learned(self, step: Learned) -> None:
        self.keeper.leave(replace(step, snapshot=self._sight(step.snapshot)))

    def _apply(self) -> None:
        while not self._stop.is_set():
            self._changed.wait(5)
            self.keeper.snapshot()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._stop.set()
        self._changed.fire("stop")
        self._watch.interrupt()
        self.writer.interrupt()
        for thread in self._threads:
            thread.join(10)


def everything(seen: Snapshot) -> Snapshot:
    return seen


def nothing_runs() -> ProxyConfig:
    return ProxyConfig(PROCESS, ())


@contextmanager
def hosts(*them: Host) -> Iterator[None]:
    with ExitStack() as stack:
        for host in them:
            stack.callback(host.end)
            host.start()
        yield


def host(
    etcd: Etcd, sight: Sight = everything, access: Access | None = None, domain: str = ""
) -> Host:
    return Host(access or etcd.access, sight, nothing_runs, domain)


def held(etcd: Etcd, key: HoldKey = PORT) -> Held | None:
    return holds_in(etcd).get(key)


def is_leased(etcd: Etcd, key: HoldKey = PORT) -> bool:
    found = held(etcd, key)
    return found is not None and found.leased


def is_for_good(etcd: Etcd, key: HoldKey = PORT) -> bool:
    found = held(etcd, key)
    return found is not None and not found.leased


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often etcd is asked to write, and to grant a lease."""
    counts = {"write": 0, "grant": 0}

    def count(name: str) -> None:
        method = getattr(Store, name)

        def counting(store: Store, *args: Any, **kwargs: Any) -> Any:
            counts[name] += 1
            return method(store, *args, **kwargs)

        monkeypatch.setattr(Store, name, counting)

    count("write")
    count("grant")
    return counts


def test_three_write_each_thing_once_and_nothing_while_idle(
    etcd: Etcd, monkeypatch: pytest.MonkeyPatch, counted: dict[str, int]
) -> None:
    monkeypatch.setattr(hold_writer, "GONE_S", 0.5)
    monkeypatch.setattr(hold_writer, "GONE_APART_S", 0.5)
    alpha = web(1, "alpha", hosts=("a.test", "b.test"))
    with hosts(host(etcd), host(etcd), host(etcd)):
        before = etcd.revision()
        publish(etcd, alpha)
        wait_for(lambda: held(etcd), 10, "alpha holds it, and its names")
        assert etcd.revision() == before + 2

        withdraw(etcd, alpha)
        wait_for(lambda: is_leased(etcd), 10, "alpha is away")
        publish(etcd, alpha)
        wait_for(lambda: is_for_good(etcd), 10, "alpha is back")
        after = before + 6  # its record deleted, the lease, its record put, no lease
        assert_holds(lambda: etcd.revision() == after, 2, "nobody writes")
        assert counted["write"] <= 9, "one writes, the others see it or lose"
        assert counted["grant"] <= 3


def test_who_may_not_write_asks_every_half_minute_however_much_happens(
    etcd: Etcd, counted: dict[str, int]
) -> None:
    require_login(etcd, "reader", "read", f"{PREFIX}/")
    root = replace(etcd.access, user="root", password="secret")
    reader = host(etcd, access=replace(etcd.access, user="reader", password="pass"))

    def is_known(service: str) -> bool:
        return service in reader.keeper.state.view.services

    with hosts(reader):
        publish(etcd, ALPHA)
        wait_for(lambda: "permission denied" in reader.problem.why, 10, "it is said")
        for number in range(20):
            publish(etcd, instance(number, f"service-{number}", service_port=9000 + number))
        wait_for(lambda: is_known("service-19"), 10, "the last one is known")
        assert_holds(lambda: counted == {"write": 1, "grant": 0}, 1, "it does not try again")

        # One that may write does it, and all is well again.
        with hosts(host(etcd, access=root)):
            wait_for(lambda: reader.problem.why == "", 10, "nothing is left to be written")
            wait_for(lambda: len(reader.keeper.state.stored.holds) == 21, 10, "all is held")


def test_one_that_sees_less_than_another_does_not_write_to_and_fro(
    etcd: Etcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an older version may that cannot read a newer record."""
    monkeypatch.setattr(hold_writer, "GONE_S", 0.2)
    monkeypatch.setattr(hold_writer, "GONE_APART_S", 0.0)

    def blind(seen: Snapshot) -> Snapshot:
        services = {name: it for name, it in seen.services.items() if name != "alpha"}
        return replace(seen, services=services)

    publish(etcd, ALPHA)
    with hosts(host(etcd), host(etcd, blind)):
        wait_for(lambda: held(etcd), 10, "alpha holds it")
        before = etcd.revision()
        wait_for(lambda: etcd.revision() >= before + 4, 10, "they differ, and both write")
        # Two writes a pause, which is 0.2 s, 0.4 s, 0.8 s and so on.
        assert_holds(lambda: etcd.revision() <= before + 12, 7, "each pause is twice as long")


def test_hosts_with_other_domains_agree_and_a_name_that_is_given_up_is_free(
    etcd: Etcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold_writer, "GONE_S", 0.2)
    monkeypatch.setattr(hold_writer, "GONE_APART_S", 0.2)
    shop, declared = web(), HoldKey("host", "shop.example.com/")
    with hosts(*(host(etcd, domain=domain) for domain in ("a.test", "b.test", ""))):
        publish(etcd, replace(shop, hosts=("shop.example.com",)))
        own = [HoldKey("host", "shop.a.test/"), HoldKey("host", "shop.b.test/")]
        wait_for(lambda: all(held(etcd, key) for key in (PORT, declared, *own)), 10, "all is held")
        written = etcd.revision()
        assert_holds(lambda: etcd.revision() == written, 2, "nobody writes to and fro")

        publish(etcd, shop)
        wait_for(lambda: is_leased(etcd, declared), 10, "it is no longer asked for")
        assert_holds(lambda: etcd.revision() == written + 2, 2, "and the rest stays")


def test_nothing_is_written_before_it_is_known_who_has_which_port_here(
    etcd: Etcd,
) -> None:
    """At an upgrade from a version without holds, the oldest record may not be who has it."""
    running: list[ProxyConfig] = []
    publish(etcd, BETA, ALPHA)
    late = Host(etcd.access, everything, lambda: running[0] if running else None)
    with hosts(late):
        wait_for(
            lambda: late.keeper.state.view.services.keys() == {"alpha", "beta"},
            10,
            "both are known",
        )
        assert_holds(lambda: held(etcd) is None, 1, "nothing is held")
        running.append(config_of(snapshot(ALPHA)))
        wait_for(lambda: held(etcd), 10, "it is held")

    found = held(etcd)
    assert found is not None
    assert found.holder == "alpha"


def test_a_backup_of_an_earlier_day_gives_no_port_to_who_had_it_then(
    etcd: Etcd, tmp_path: Path
) -> None:
    data, backup = etcd.folder / "etcd", tmp_path / "backup"
    one, other = host(etcd), host(etcd)
    with hosts(one, other):
        publish(etcd, BETA)
        wait_for(lambda: held(etcd), 10, "beta holds it")
        etcd.stop()
        shutil.copytree(data, backup)
        etcd.start()

        withdraw(etcd, BETA)
        etcd.ctl("del", key_of(PREFIX, PORT))
        publish(etcd, ALPHA)
        wait_for(lambda: holder(one) == holder(other) == "alpha", 20, "alpha has it on all hosts")

        etcd.kill()
        shutil.rmtree(data)
        shutil.copytree(backup, data)
        etcd.start()
        wait_for(lambda: holder_in(etcd, PORT) == "alpha", 20, "alpha holds it again")
        assert holder(one) == holder(other) == "alpha"


def holder(of: Host) -> str:
    """Who holds the port, as one host believes."""
    found = of.keeper.state.view.holds.get(PORT)
    return found.holder if found else ""
