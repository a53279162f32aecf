"""A hundred containers and nothing happens: what each sidecar writes, uses and holds."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.report.figures import Figure, at_most, say
from bench.rig.containers import ContainerFactory, labels_of
from bench.rig.pair import DISCOVER, REGISTER, RELOADS, metric, pair_of
from bench.rig.records import Records
from bench.rig.usage import cpu_s, pss_mb, rss_mb
from tests.parts.engine import Engine, Pair
from tests.parts.wait import wait_for

SERVICES = 10
PORT = 9800
CORE = 0.5  # percent of a core, each sidecar: issue 3
MEMORY_MB = 40  # each sidecar, RSS and PSS: issue 13


@dataclass(frozen=True, slots=True)
class Program:
    """One program, and its processes."""

    name: str
    pids: Sequence[int]

    def figures(self, used_s: float, seconds_s: float) -> list[Figure]:
        core = used_s / seconds_s * 100
        memory_mb = sum(rss_mb(pid) for pid in self.pids)
        shared_mb = sum(pss_mb(pid) for pid in self.pids)
        if self.name == "HAProxy":  # for comparison, without bounds: master and worker
            return [
                Figure(f"{self.name}, of a core", core, "%"),
                Figure(f"{self.name}, memory", memory_mb, "MB"),
            ]

        return [
            at_most(f"{self.name}, of a core", core, "%", CORE),
            at_most(f"{self.name}, memory", memory_mb, "MB", MEMORY_MB),
            at_most(f"{self.name}, memory (PSS)", shared_mb, "MB", MEMORY_MB),
        ]


def run(containers: int = 100, seconds_s: float = 60.0) -> list[Figure]:
    """Watch so many containers do nothing for so long."""
    with Engine() as engine, pair_of(engine) as pair:
        factory = ContainerFactory(engine)
        for number in range(containers):
            service = number % SERVICES
            name = f"idle-{service}"
            factory.whoami(name, 8000, {}, **labels_of(name, PORT + service)).start()

        wait_for(lambda: _published(pair) >= containers, 60, "all are published")
        say(f"{containers} containers run")
        time.sleep(5)  # until the last reload's old worker is gone
        return _watched(pair, seconds_s)


def _published(pair: Pair) -> int:
    return sum("/instances/" in key for key in list(pair.keys()))


def _watched(pair: Pair, seconds_s: float) -> list[Figure]:
    programs = [
        Program("docker-register", pair.register.pids(REGISTER)),
        Program("docker-discover", pair.discover.pids(DISCOVER)),
        Program("HAProxy", pair.discover.pids("haproxy -")),
    ]
    records = Records(pair.address)
    revision = records.revision()
    reloads = metric(pair, RELOADS)
    before_s = [cpu_s(program.pids) for program in programs]

    time.sleep(seconds_s)

    after_s = [cpu_s(program.pids) for program in programs]
    revisions = records.revision() - revision
    reloads = metric(pair, RELOADS) - reloads
    records.close()

    figures = [
        at_most(f"{seconds_s:g} s idle: revisions in etcd", revisions, "", 0),
        at_most("reloads", reloads, "", 0),
    ]
    for program, before, after in zip(programs, before_s, after_s, strict=True):
        figures += program.figures(after - before, seconds_s)
    return figures
