"""Rows 9, 63 and 65: containers whose health flaps, no file descriptors left, and next to no
CPU.
"""

import os
import resource
import socket
import time
from pathlib import Path

from catalog.records.record import Instance
from tests.parts.backend import backend
from tests.parts.discover import Discover, publish
from tests.parts.engine import Engine, Pair
from tests.parts.etcd import Etcd
from tests.parts.haproxy import get
from tests.parts.ports import free_ports
from tests.parts.records import local
from tests.parts.register import Catalog, Register
from tests.parts.served import serve
from tests.parts.wait import assert_holds, wait_for
from tests.parts.writes import Writes

TTL_S = 5
OBSERVED_S = 30
WRITES_A_SECOND = 0.2
FLAPPING = "flaps-9"  # other containers of this machine that ask for it are published too
# Well and ill in turn, each time it is asked.
FLAPS = "if [ -e /tmp/well ]; then rm /tmp/well; exit 1; else touch /tmp/well; fi"


def test_a_container_whose_health_flaps_costs_next_to_nothing(
    engine: Engine, etcd: Etcd, catalog: Catalog, discover: Discover, tmp_path: Path
) -> None:
    """Row 9."""
    (port,) = free_ports(1)
    health = ("--health-interval", "1s", "--health-retries", "1", "--health-cmd", FLAPS)
    with (
        Register(tmp_path, etcd),
        Writes(etcd, f"/services/v1/hosts/h1/instances/{FLAPPING}/") as writes,
    ):
        serve(engine, FLAPPING, "-l", f"SERVICE_PORT={port}", *health)
        wait_for(lambda: catalog.instance(FLAPPING), 20, "published")
        discover.wait_said(f"{FLAPPING}:{port}", 20)

        reloads = discover.reloads()
        states: set[str | None] = set()

        def is_only_drained() -> bool:
            states.add(catalog.state(FLAPPING))
            return states <= {"ready", "draining"}

        assert_holds(is_only_drained, OBSERVED_S, "it stays in the catalog")

        puts, deletes = len(writes.puts), len(writes.deletes)
        more = discover.reloads() - reloads
        print(f"{puts} puts and {deletes} deletes in {OBSERVED_S} s, {more} reloads")
        assert puts + deletes <= WRITES_A_SECOND * OBSERVED_S
        assert states == {"ready", "draining"}
        assert more == 0


def no_descriptors_left(pid: int) -> tuple[int, int]:
    """Let a process open no more files; return its limits of before."""
    used = {int(each.name) for each in Path(f"/proc/{pid}/fd").iterdir()}
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    # The kernel gives out the lowest free number, and none from the limit on.
    first_free = next(number for number in range(len(used) + 1) if number not in used)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (first_free, before[1]))
    return before


def test_a_registrar_without_descriptors_keeps_its_lease(
    engine: Engine, etcd: Etcd, catalog: Catalog, tmp_path: Path
) -> None:
    """Row 63."""
    with Register(tmp_path, etcd, TTL=str(TTL_S)) as register:
        serve(engine, "stays-63")
        wait_for(lambda: catalog.instance("stays-63"), 20, "published")
        leases = etcd.ctl("lease", "list")
        before = no_descriptors_left(register.pid())
        late = serve(engine, "late-63")

        def stays() -> Instance | None:
            if "Too many open files" not in register.log:
                # It found one that it had closed meanwhile: take that too, and ask it again.
                no_descriptors_left(register.pid())
                late.do("restart", "-t", "0")
            return catalog.instance("stays-63")

        assert_holds(stays, 3 * TTL_S, "it is published")
        assert "Too many open files" in register.log

        resource.prlimit(register.pid(), resource.RLIMIT_NOFILE, before)
        wait_for(lambda: catalog.instance("late-63"), 40, "it goes on")
        wait_for(register.is_ready, 20, "ready")
        assert etcd.ctl("lease", "list") == leases


def cpu_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def test_a_discover_without_descriptors_damages_nothing(etcd: Etcd, discover: Discover) -> None:
    """Row 63."""
    old, new = free_ports(2)
    with backend("one") as one, backend("two") as two:
        publish(etcd, local(1, one, old, "old"))
        wait_for(lambda: get(old)[1] == "one", 15, "it answers")
        discover.wait_said(f"new listen old:{old}")
        config = discover.haproxy.config.read_text()
        before = no_descriptors_left(discover.pid())
        cpu = cpu_s(discover.pid())
        publish(etcd, local(2, two, new, "new"))
        # Nobody can accept this connection.
        waiting = socket.create_connection(("127.0.0.1", discover.metrics))

        def is_as_before() -> bool:
            return get(old)[1] == "one" and discover.haproxy.config.read_text() == config

        assert_holds(is_as_before, 8, "it serves, and the configuration is as before")
        cpu = cpu_s(discover.pid()) - cpu
        waiting.close()

        resource.prlimit(discover.pid(), resource.RLIMIT_NOFILE, before)
        wait_for(lambda: get(new)[1] == "two", 40, "it goes on")
        discover.wait_ready()
    print(f"{cpu:.1f} s of CPU in 8 s")
    assert cpu < 2
    assert "Too many open files" in discover.log


def test_a_registrar_with_next_to_no_cpu_keeps_its_lease(engine: Engine) -> None:
    """Row 65: a twentieth of one core."""
    with Pair(engine, register={"TTL": str(TTL_S)}) as pair:
        service = {"SERVICE_NAME": "stays-65", "SERVICE_PORT": str(free_ports(1)[0])}
        one = engine.run("tandem-whoami", "-P", command=(), **service)
        wait_for(lambda: one.short in " ".join(pair.keys()), 20, "published")
        leases = pair.etcdctl("lease", "list")
        pair.register.do("update", "--cpus", "0.05")
        began = time.monotonic()
        late = engine.run("tandem-whoami", "-P", command=(), **service)
        missing: list[float] = []

        def is_late_one_published() -> bool:
            keys = " ".join(pair.keys())
            if one.short not in keys:
                missing.append(time.monotonic() - began)
            return late.short in keys

        wait_for(is_late_one_published, 60, "the new one is published")
        late_s = time.monotonic() - began
        assert missing == []

        assert_holds(lambda: one.short in " ".join(pair.keys()), 3 * TTL_S - late_s, "published")
        assert pair.etcdctl("lease", "list") == leases
    print(f"a container that starts meanwhile is published after {late_s:.1f} s")
