"""docker-discover and HAProxy are replaced by new containers under load: no call fails.

In a network namespace of its own, as the one of a host that was set up as docs/operations.md says
for upgrades.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.load import Load
from tests.parts.engine import Container, Engine, fetch
from tests.parts.records import entry, instance
from tests.parts.wait import wait_for

HTTP, TCP = 8701, 8702
# Calls a second of each of four clients that make a connection for each, and of two that keep
# theirs.
RATE = 500
REPLACED = 3
SOCKETS = "/run/haproxy"  # what both containers of the split form share
FAST = """
defaults
    mode http
    timeout client 60s
    timeout server 60s
    timeout connect 1s
frontend it
    bind :7701
    bind :7702
    http-request return status 200 content-type text/plain lf-string "fast %[hostname] -"
"""


class Host:
    """A host with etcd, one service that answers thousands of calls a second, and room for
    sidecars.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine = engine
        self._base = engine.run("tandem-whoami", "--sysctl", "net.ipv4.tcp_migrate_req=1")
        self._net = ("--net", f"container:{self._base.id}")
        self.address = self._base.inspect()["NetworkSettings"]["IPAddress"]
        self.volume = engine.volume(f"state-{self._base.short}")
        self.sockets = engine.volume(f"sockets-{self._base.short}")
        folder.chmod(0o755)
        (folder / "fast.cfg").write_text(FAST)
        fast = ("-v", f"{folder}:/fast", "--entrypoint", "haproxy", "--no-healthcheck")
        engine.run("docker-discover", *self._net, *fast, command=("-f", "/fast/fast.cfg"))
        etcd = engine.run("tandem-etcd", *self._net)
        wait_for(
            lambda: "healthy" in etcd.exec("etcdctl", "endpoint", "health", check=False), 20, "etcd"
        )
        for number, (mode, port) in enumerate((("http", HTTP), ("tcp", TCP))):
            where = {
                "address": "127.0.0.1",
                "port": 7701 + number,
                "service_port": port,
                "mode": mode,
            }
            record = entry(instance(number, f"fast-{mode}", **where))
            etcd.exec("etcdctl", "put", record.key, record.value.decode())

    def start(self, *flags: str, **more: str) -> Container:
        """Start a docker-discover with the settings that all of them have here."""
        settings = {"ETCD_HOST": "127.0.0.1:2379", "BIND": "*", "METRICS": "0.0.0.0:9302", **more}
        return self._engine.run("docker-discover", *self._net, *flags, command=(), **settings)

    def discover(self, *flags: str, **more: str) -> Container:
        """Start one and wait until it is ready."""
        it = self.start(*flags, **more)
        wait_for(lambda: it.exec("ready", check=False) == "ok", 60, "the new one is ready")
        return it

    def split(self) -> tuple[str, ...]:
        """The volumes that both containers of the split form have."""
        return ("-v", f"{self.volume}:/var/lib/tandem", "-v", f"{self.sockets}:{SOCKETS}")

    def haproxy(self) -> Container:
        """Start a HAProxy in a container of its own."""
        return self._engine.run(
            *("docker-discover", *self._net, "--entrypoint", "init", *self.split()),
            command=("haproxy",),
            RUN_DIR=SOCKETS,
        )

    def apart(self) -> Container:
        """Start a docker-discover for that one."""
        return self.discover(*self.split(), RUN_DIR=SOCKETS, HAPROXY_SUPERVISED="true")

    def answers(self, port: int = HTTP) -> bool:
        return fetch(self.address, port, timeout_s=1).status == 200

    @contextlib.contextmanager
    def loaded(self) -> Iterator[None]:
        """Run the body while both services are called; no call may fail."""
        for port in (HTTP, TCP):
            wait_for(lambda port=port: self.answers(port), 20, "it answers")  # type: ignore[misc]
        loads = [
            Load(self.address, port, "fast", close=2, keep=1, rate=RATE) for port in (HTTP, TCP)
        ]
        try:
            yield
        finally:
            for load in loads:
                load.end()
        connections = sum(load.done("close") / load.seconds for load in loads)
        print(
            f"measured: {sum(load.done() for load in loads)} calls, {connections:.0f} new "
            "connections a second"
        )
        assert [load.lost() for load in loads] == [{}, {}]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Engine() as engine:
        yield Host(engine, tmp_path)


def leave(old: Container) -> None:
    old.do("stop")
    assert old.state()["ExitCode"] == 0
    old.do("rm")


@pytest.mark.parametrize("volume", ["shared", "of its own"])
def test_a_new_discover_beside_the_old_one_takes_over(host: Host, volume: str) -> None:
    flags = ("-v", f"{host.volume}:/var/lib/tandem") if volume == "shared" else ()
    discover = host.discover(*flags)
    with host.loaded():
        for _ in range(REPLACED):
            new = host.discover(*flags)
            leave(discover)
            discover = new

    wait_for(
        lambda: fetch(host.address, 9302, "/readyz").status == 200, 5, "METRICS is the new one's"
    )


def test_a_third_discover_with_the_same_volume_is_refused(host: Host) -> None:
    flags = ("-v", f"{host.volume}:/var/lib/tandem")
    for _ in range(2):
        host.discover(*flags)

    third = host.start(*flags)

    wait_for(lambda: third.state()["Status"] == "exited", 20, "it ends")
    assert third.state()["ExitCode"] == 2
    assert "two other containers use /var/lib/tandem" in third.logs()


def test_a_discover_apart_from_haproxy_is_replaced(host: Host) -> None:
    haproxy = host.haproxy()
    discover = host.apart()
    with host.loaded():
        masters = haproxy.pids("haproxy")
        for _ in range(REPLACED):
            leave(discover)
            discover = host.apart()

        assert haproxy.pids("haproxy") == masters, "no reload, no restart"


def test_haproxy_apart_is_replaced_by_one_beside_it(host: Host) -> None:
    haproxy = host.haproxy()
    discover = host.apart()
    with host.loaded():
        for _ in range(REPLACED):
            new = host.haproxy()
            wait_for(lambda new=new: "Loading success" in new.logs(), 20, "the new one serves")  # type: ignore[misc]
            leave(haproxy)
            haproxy = new

    wait_for(
        lambda: discover.exec("ready", check=False) == "ok", 10, "docker-discover goes on with it"
    )


@pytest.mark.parametrize("form", ["one container", "apart"])
def test_haproxy_is_mended_where_it_runs(host: Host, form: str) -> None:
    haproxy = host.haproxy() if form == "apart" else host.discover()
    if form == "apart":
        host.apart()
    wait_for(host.answers, 20, "it answers")

    for number, bound_s in ((signal.SIGKILL, 5), (signal.SIGSTOP, 15)):
        master, *workers = haproxy.pids("haproxy -W")
        for pid in (master, *workers):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        wait_for(lambda old=master: old not in haproxy.pids("haproxy -W"), bound_s, "it is ended")  # type: ignore[misc]
        wait_for(host.answers, bound_s, "it answers again")
