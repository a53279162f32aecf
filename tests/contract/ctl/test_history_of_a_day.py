"""A day of 500 changes on two proxies: each once, with its cause, in the order of revisions."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from catalog.records.record import Instance
from ctl import ends
from tests.parts.backend import backend
from tests.parts.discover import discovering
from tests.parts.etcd import Etcd
from tests.parts.ports import free_port
from tests.parts.records import local
from tests.parts.registrar import Registrar
from tests.parts.shell import Shell
from tests.parts.wait import wait_for

CHANGES = 500
# What all hosts know by etcd; what each decides by itself has no fixed number.
KINDS = "came,left,drain,undrain,changed,suspect,host-came,host-left,host-drain,host-undrain"
LATER_MS = 3_600_000  # a container that was started after its docker-register
AGAIN = {"paused": "unpaused", "unhealthy": "healthy again"}

Expected = tuple[int, str, str]  # revision, what, cause


@pytest.fixture
def tandem(etcd: Etcd, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(etcd, capsys)


@dataclass
class Host:
    """A host, what it publishes, and what must be told of it."""

    registrar: Registrar
    instances: tuple[Instance, ...]
    chance: random.Random
    now: dict[str, Instance] = field(default_factory=dict)  # by container
    told: list[Expected] = field(default_factory=list)

    def changes(self) -> None:
        """Make one change of one instance."""
        one = self.chance.choice(self.instances)
        known = self.now.get(one.container)
        if known is None:
            self._puts(one, "came", "started")
        elif known.state == "draining" and known.leaving in AGAIN and self.chance.random() < 0.7:
            self._puts(replace(known, state="ready", leaving=""), "undrain", AGAIN[known.leaving])
        elif known.state == "draining":
            self._deletes(known, known.leaving)
        elif (choice := self.chance.random()) < 0.2:
            self._puts(replace(known, weight=known.weight % 200 + 1), "changed", "its settings")
        elif choice < 0.4:
            self._deletes(known, "died")
        else:
            why = self.chance.choice(("stop signal", "paused", "unhealthy"))
            self._puts(replace(known, state="draining", leaving=why), "drain", why)

    def vanishes_and_returns(self) -> None:
        """Lose the lease with all that stands under it, and put it again."""
        revision = self.registrar.vanishes()
        self.told.append((revision, "host-left", "lease ended"))
        self.told += [(revision, "suspect", "lease ended") for _ in self.now]
        self.told.append((self.registrar.begin(), "host-came", "docker-register started"))
        for known in self.now.values():
            self.told.append((self.registrar.puts(known), "came", "its host is back"))

    def is_drained_and_serves_again(self) -> None:
        """Take the host out of service, and all its instances with it."""
        self.told.append((self.registrar.drains_host(), "host-drain", "docker-register"))
        for known in self.now.values():
            drained = replace(known, state="draining", leaving="host drained")
            if known.state == "ready":
                self.told.append((self.registrar.puts(drained), "drain", "host drained"))
            left = "host drained" if known.state == "ready" else known.leaving
            self.told.append((self.registrar.deletes(known), "left", left))
        self.now.clear()
        self.told.append((self.registrar.undrains_host(), "host-undrain", "docker-register"))

    def _puts(self, instance: Instance, what: str, cause: str) -> None:
        self.told.append((self.registrar.puts(instance), what, cause))
        self.now[instance.container] = instance

    def _deletes(self, instance: Instance, cause: str) -> None:
        self.told.append((self.registrar.deletes(instance), "left", cause))
        del self.now[instance.container]


@pytest.fixture
def hosts(etcd: Etcd) -> Iterator[tuple[Host, Host]]:
    chance = random.Random(14)
    later_ms = round(time.time() * 1000) + LATER_MS
    ports = {name: free_port() for name in ("orders", "pets", "shop")}
    with ExitStack() as stack:
        found = []
        for number, name in ((1, "r1"), (2, "r2")):
            instances = tuple(
                local(
                    10 * number + at,
                    stack.enter_context(backend(service)),
                    port,
                    service,
                    started_ms=later_ms,
                )
                for at, (service, port) in enumerate(ports.items())
            )
            registrar = Registrar(etcd, name)
            stack.callback(registrar.close)
            found.append(Host(registrar, instances, chance))
        yield found[0], found[1]


def test_a_day_of_changes_is_told_each_once(
    tmp_path: Path, etcd: Etcd, hosts: tuple[Host, Host], tandem: Shell
) -> None:
    command = [sys.executable, "-m", "ctl", "watch", "-o", "ndjson", "--kinds", KINDS]
    seen = tmp_path / "seen"
    with (
        discovering(tmp_path / "d", etcd.endpoint, "--host-id", "h1"),
        discovering(tmp_path / "e", etcd.endpoint, "--host-id", "h2") as other,
        seen.open("w") as out,
        subprocess.Popen([*command, "--etcd-host", etcd.endpoint], stdout=out) as watching,
    ):
        wait_for(lambda: "asks/" in etcd.ctl("get", "--prefix", "/", "--keys-only"), 20, "it asks")
        begin = history(tandem)[-1][0] if history(tandem) else 0
        _a_day(hosts, other.kill)
        other.start()
        other.wait_ready()
        _more(hosts, CHANGES)

        expected = sorted(it for host in hosts for it in host.told)
        wait_for(lambda: len(history(tandem, begin)) >= len(expected), 30, "all is told")
        assert len(expected) >= CHANGES
        assert sorted(history(tandem, begin)) == expected
        assert [it[0] for it in history(tandem, begin)] == [it[0] for it in expected]

        tandem("wait", "--for", "revision", "--timeout", "20s")
        wait_for(lambda: len(lines(seen)) >= len(expected), 30, "all is watched")
        watching.terminate()
    assert sorted(lines(seen)) == expected


def _a_day(hosts: tuple[Host, Host], kill: Callable[[], None]) -> None:
    """Make half of the changes; near the end one proxy is killed, and misses the last."""
    first, second = hosts
    _more(hosts, CHANGES // 4)
    first.vanishes_and_returns()
    _more(hosts, CHANGES // 2)
    second.is_drained_and_serves_again()
    kill()
    _more(hosts, CHANGES // 2 + 40)


def _more(hosts: tuple[Host, Host], until: int) -> None:
    while sum(len(host.told) for host in hosts) < until:
        for host in hosts:
            host.changes()


def history(tandem: Shell, since: int = 0) -> list[Expected]:
    words = ("--since", str(since)) if since else ()
    status, out, err = tandem(
        "history", "--limit", "5000", "--kinds", KINDS, "-o", "ndjson", *words
    )
    assert status in (ends.DONE, ends.UNREACHABLE), err
    return [expected_of(line) for line in out.splitlines()]


def lines(path: Path) -> list[Expected]:
    return [expected_of(line) for line in path.read_text().splitlines()]


def expected_of(line: str) -> Expected:
    row = json.loads(line)
    return row["revision"], row["what"], row["cause"]
