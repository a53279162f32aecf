"""docker-discover's view of an etcd that is only data: who is called, who is a suspect."""

from typing import Any, Literal, Self

from discover.snapshot.snapshot import EMPTY
from discover.snapshot.state import checked, learn, started
from discover.snapshot.suspects import CheckResult
from tests.parts.catalogs import FakeEtcd, key
from tests.parts.records import instance

RECORDS = {f"h{n}": instance(n, address=f"10.0.0.{n}") for n in range(1, 6)}


class Lab:
    """A state, the etcd that it follows, and a clock; one instance on each host."""

    def __init__(self, hosts: int = 5, **changes: Any) -> None:
        self.records = {
            host: instance(int(host[1:]), address=record.address, **changes)
            for host, record in RECORDS.items()
        }
        self.hosts = list(self.records)[:hosts]

        self.etcd = FakeEtcd().claim(*self.hosts)
        for host in self.hosts:
            self.etcd.put(host, self.records[host])

        self.now_s = 1000.0
        self.state = started(EMPTY, {})
        self.look("relist")

    def look(self, how: Literal["step", "relist"] = "step") -> Self:
        """Learn what the watch shows since the last look, or what a listing shows."""
        seen, departures = self.etcd.step() if how == "step" else self.etcd.relist()
        self.state = learn(self.state, seen, departures, self.now_s)
        return self

    def checked(self, *hosts: str, result: CheckResult = "failing", after_s: float = 0.0) -> Self:
        """Take this result of the checks of these hosts' instances."""
        self.now_s += after_s
        results = {self.key(host): result for host in hosts}
        self.state = checked(self.state, results, self.now_s)
        return self

    def expire(self, *hosts: str) -> Self:
        """End the leases of these hosts, one after the other."""
        for host in hosts:
            self.etcd.expire(host)
            self.look()
        return self

    def key(self, host: str) -> str:
        return key(host, self.records[host])

    @property
    def called(self) -> list[str]:
        """The hosts whose instances are called."""
        return sorted(record.key.host for record in self.state.view.records.values())
