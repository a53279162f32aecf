"""A hundred containers and nothing happens: what each sidecar writes, uses and holds."""

import time

from bench.measure import Figure, at_most, cpu_s, rss_mb, say
from bench.reloads import RELOADS
from bench.world import DISCOVER, REGISTER, Maker, Records, metric, pair_of
from tests.parts.engine import Engine, Pair
from tests.parts.wait import wait_for

SERVICES = 10
PORT = 9800
CORE, MEMORY_MB = 0.5, 60  # percent of a core and MB of each sidecar: issue 3
NAMES = {"docker-register": REGISTER, "docker-discover": DISCOVER, "HAProxy": "haproxy -"}


def run(containers: int = 100, seconds_s: float = 60.0) -> list[Figure]:
    """Watch so many containers do nothing for so long."""
    with Engine() as engine, pair_of(engine) as pair:
        maker = Maker(engine)
        for number in range(containers):
            service = number % SERVICES
            maker.whoami(
                f"idle-{service}",
                8000,
                {},
                SERVICE_PORT=str(PORT + service),
                SERVICE_NAME=f"idle-{service}",
            ).start()
        wait_for(
            lambda: sum("/instances/" in key for key in list(pair.keys())) == containers,
            60,
            "all are published",
        )
        say(f"{containers} containers run")
        time.sleep(5)  # the last reload's old worker is gone
        return _watched(pair, seconds_s)


def _watched(pair: Pair, seconds_s: float) -> list[Figure]:
    records, pids = Records(pair.address), _pids(pair)
    before = (
        records.revision(),
        metric(pair, RELOADS),
        {name: cpu_s(some) for name, some in pids.items()},
    )
    time.sleep(seconds_s)
    used = {name: (cpu_s(some) - before[2][name]) / seconds_s * 100 for name, some in pids.items()}
    revisions, reloads = records.revision() - before[0], metric(pair, RELOADS) - before[1]
    records.close()
    figures = [
        at_most(f"{seconds_s:g} s idle: revisions in etcd", revisions, "", 0),
        at_most("reloads", reloads, "", 0),
    ]
    for name, some in pids.items():
        memory = sum(rss_mb(pid) for pid in some)
        if name == "HAProxy":  # not ours; for comparison, master and worker
            figures += [
                Figure(f"{name}, of a core", used[name], "%"),
                Figure(f"{name}, memory", memory, "MB"),
            ]
            continue
        figures.append(at_most(f"{name}, of a core", used[name], "%", CORE))
        figures.append(at_most(f"{name}, memory", memory, "MB", MEMORY_MB))
    return figures


def _pids(pair: Pair) -> dict[str, list[int]]:
    of = {"docker-register": pair.register}
    return {name: of.get(name, pair.discover).pids(word) for name, word in NAMES.items()}
