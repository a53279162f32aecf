"""Rows 9, 63 and 65: containers whose health flaps, no file descriptors left, and next to no CPU."""

import os
import resource
import socket
import time
from pathlib import Path

from tests.parts.backend import backend
from tests.parts.discover import Discover, publish
from tests.parts.engine import Engine, Pair
from tests.parts.etcd import Etcd
from tests.parts.haproxy import get
from tests.parts.ports import free_ports
from tests.parts.records import local
from tests.parts.register import Catalog, Register
from tests.parts.served import serve
from tests.parts.wait import wait_for
from tests.parts.writes import Writes

TTL_S = 5
FLAPPING = "flaps-9"  # other containers of this machine that ask for it are published too
# Well and ill in turn, each time it is asked.
FLAPS = "if [ -e /tmp/well ]; then rm /tmp/well; exit 1; else touch /tmp/well; fi"


def only_for(seconds: float) -> float:
    """Return when a time that has to be observed whole is over."""
    return time.monotonic() + seconds


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
        reloads, over, states = discover.reloads(), only_for(30), set()
        while time.monotonic() < over:
            states.add(catalog.state(FLAPPING))
            time.sleep(0.1)
        print(
            f"{len(writes.puts)} puts and {len(writes.deletes)} deletes in 30 s, {discover.reloads() - reloads} reloads"
        )
        assert len(writes.puts) + len(writes.deletes) <= 0.2 * 30
        assert states == {"ready", "draining"}
        assert discover.reloads() == reloads


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
        over = only_for(3 * TTL_S)
        while time.monotonic() < over:
            assert catalog.instance("stays-63")
            if "Too many open files" not in register.log:
                # It found one that it had closed meanwhile: those are taken from it too, and it is asked again.
                no_descriptors_left(register.pid())
                late.do("restart", "-t", "0")
            time.sleep(0.1)
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
        waiting = socket.create_connection(
            ("127.0.0.1", discover.metrics)
        )  # whom nobody can accept
        over = only_for(8)
        while time.monotonic() < over:
            assert get(old)[1] == "one"
            assert discover.haproxy.config.read_text() == config
            time.sleep(0.1)
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
        one = engine.run("tandem-whoami", "-P", **service)
        wait_for(lambda: one.short in " ".join(pair.keys()), 20, "published")
        leases = pair.etcdctl("lease", "list")
        pair.register.do("update", "--cpus", "0.05")
        began, over, late_s = time.monotonic(), only_for(3 * TTL_S), 0.0
        late = engine.run("tandem-whoami", "-P", **service)
        while time.monotonic() < over or not late_s:
            keys = " ".join(pair.keys())
            assert one.short in keys
            late_s = late_s or (time.monotonic() - began if late.short in keys else 0.0)
            assert time.monotonic() < began + 60, "the new one is not published"
            time.sleep(0.1)
        assert pair.etcdctl("lease", "list") == leases
    print(f"a container that starts meanwhile is published after {late_s:.1f} s")
