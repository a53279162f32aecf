"""The registrar's own process: threads that die or hang, signals, also as PID 1, and what the
engine feels of it.
"""

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from register.docker.event_reader import EventReader
from register.docker.hints import Hints
from register.host.lease import LeaseKeeper
from register.publisher import Publisher
from register.ready.probe import Prober
from sidecar.stuck_loops import StuckLoops
from tests.parts.engine import Engine
from tests.parts.etcd import Etcd
from tests.parts.register import Register
from tests.parts.scripted_engine import answers_of, scripted_engine
from tests.parts.served import IMAGE, post, serve
from tests.parts.wait import wait_for

START = "import sys; from register.__main__ import main; {0}; sys.exit(main())"


def flags(register: Register) -> list[str]:
    return [
        word
        for name, text in register.settings.items()
        for word in (f"--{name.lower().replace('_', '-')}", text)
    ]


def replacing(method: Callable[..., object], result: str) -> str:
    """Return the statement that makes a method return something else, or raise."""
    module, name = method.__module__, method.__qualname__
    return f"import {module} as m; m.{name} = lambda *_: {result}"


def start(register: Register, fault: str, log: Path) -> subprocess.Popen[bytes]:
    """Start a registrar with a fault built in: no outside means ends or hangs one thread of a
    process.
    """
    with log.open("ab") as sink:
        return subprocess.Popen(
            [sys.executable, "-c", START.format(fault), *flags(register)], stderr=sink
        )


@pytest.mark.parametrize(
    "fault",
    [
        replacing(LeaseKeeper._keep, "1 / 0"),
        replacing(Publisher._publish, "1 / 0"),
        replacing(EventReader._session, "1 / 0"),
        replacing(Prober._retarget, "1 / 0"),
        replacing(StuckLoops.look, "1 / 0"),
    ],
    ids=["lease", "publisher", "events", "probe", "watchdog"],
)
def test_a_thread_that_dies_ends_the_process(etcd: Etcd, tmp_path: Path, fault: str) -> None:
    register = Register(tmp_path, etcd, wait=False)
    began = time.monotonic()
    process = start(register, fault, tmp_path / "log")
    try:
        assert process.wait(20) == 1
    finally:
        process.kill()
    print(
        f"ended {time.monotonic() - began:.1f} s after the process began, all its imports included"
    )
    log = (tmp_path / "log").read_text()
    assert "ZeroDivisionError" in log


def test_a_reader_that_hangs_ends_the_process(engine: Engine, etcd: Etcd, tmp_path: Path) -> None:
    fault = f"import threading; {replacing(Hints.after, 'threading.Event().wait()')}"
    register = Register(tmp_path, etcd, wait=False)
    process = start(register, fault, tmp_path / "log")
    try:
        wait_for(lambda: "acquired the host lease" in (tmp_path / "log").read_text(), 20, "it runs")
        began = time.monotonic()
        serve(
            engine, "hang"
        )  # its events are the first that it gets, if nothing else happens on this machine
        assert process.wait(30) == 1
        took_s = time.monotonic() - began
    finally:
        process.kill()
    print(f"ended after {took_s:.1f} s")
    assert took_s <= 20
    assert "stuck, ending the process loop=events" in (tmp_path / "log").read_text()


def test_a_round_may_take_longer_than_a_call(etcd: Etcd, tmp_path: Path) -> None:
    """The limits are shrunk and the inspects stretched: 700 containers at 0.22 s each would take
    minutes.
    """
    answers = answers_of(16)
    fault = (
        "import time, register.__main__ as m, register.records.host_state as n, "
        "register.schedule as p;"
        "from register.docker.source import DockerSource as d;"
        "m.TURNED_WITHIN_S, n.TURNED_WITHIN_S, p.TURN_S, p.INSPECT_ALL_S, real = 2, 4, 1, 1, "
        "d._inspect;"
        "d._inspect = lambda *a: (time.sleep(0.5), real(*a))"
    )
    with scripted_engine(answers) as docker_host:
        register = Register(tmp_path, etcd, wait=False, DOCKER_HOST=docker_host, RESYNC="1")
        process = start(register, fault, tmp_path / "log")
        try:
            wait_for(
                lambda: register.lists() >= 2, 90, "two rounds of 8 s; the watchdog's limit is 4 s"
            )
            assert process.poll() is None
        finally:
            process.kill()
            process.wait(15)
    assert "stuck" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("silent", [False, True], ids=["etcd answers", "etcd is silent"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_it_as_pid_1_and_the_lease_stays(
    etcd: Etcd, tmp_path: Path, number: signal.Signals, silent: bool
) -> None:
    register = Register(tmp_path, etcd, wait=False, TTL="60")
    with (tmp_path / "log").open("ab") as sink:
        # Under nohup(1) the tests' own SIGHUP is ignored, and a child would keep it so.
        words = [
            "env",
            "--default-signal=HUP",
            "unshare",
            "--pid",
            "--fork",
            sys.executable,
            "-m",
            "register",
            *flags(register),
        ]
        process = subprocess.Popen(words, stderr=sink)
    try:
        wait_for(register.is_ready, 60, "ready")
        child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
        if silent:
            etcd.pause()
        os.kill(child, signal.SIGPIPE)  # of no interest
        began = time.monotonic()
        os.kill(child, number)
        assert process.wait(15) == 0
        took_s = time.monotonic() - began
    finally:
        process.kill()
        etcd.resume()
    print(f"{number.name}: ended after {took_s:.2f} s")
    assert took_s <= 5
    assert etcd.ctl("lease", "list").startswith("found 1 leases")


def create_ms(engine: Engine) -> float:
    began = time.monotonic()
    post(
        "/containers/create",
        {"Image": IMAGE, "Cmd": ["true"], "Labels": dict([engine.label.split("=")])},
    )
    return (time.monotonic() - began) * 1000


def test_an_etcd_that_blocks_never_slows_the_engine(
    engine: Engine, etcd: Etcd, tmp_path: Path
) -> None:
    quiet: list[float] = []
    blocked: list[float] = []
    one = serve(engine, "churn")
    with Register(tmp_path, etcd) as register:
        over = threading.Event()
        churn = threading.Thread(target=keep_signalling, args=(one.id, over))
        churn.start()
        for _ in range(5):  # in turn, as other work on this machine comes and goes
            quiet += [create_ms(engine) for _ in range(20)]
            etcd.pause()
            blocked += [create_ms(engine) for _ in range(20)]
            etcd.resume()
        over.set()
        churn.join()
        assert register.get("/healthz")[0] == 200
    print(
        f"100 creates: {sum(quiet):.0f} ms, {sum(blocked):.0f} ms with etcd blocked; 20 "
        "events a second in both"
    )
    print(f"median {statistics.median(quiet):.1f} and {statistics.median(blocked):.1f} ms")
    assert sum(blocked) <= 2 * sum(quiet)


def keep_signalling(container: str, over: threading.Event) -> None:
    while not over.wait(0.05):
        post(f"/containers/{container}/kill?signal=WINCH")
