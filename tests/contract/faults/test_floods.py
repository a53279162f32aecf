"""Row 70: floods of log lines, and secrets, with real processes."""

import json
import re
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.records.record import Check, Instance, encode
from catalog.store import Store
from tests.parts.discover import Discover
from tests.parts.engine import Engine
from tests.parts.etcd import Etcd
from tests.parts.haproxy import get
from tests.parts.ports import free_ports
from tests.parts.records import instance, key
from tests.parts.register import Register
from tests.parts.served import serve
from tests.parts.store import put_all
from tests.parts.wait import wait_for

MANY = 1000
SERVICES = ("s0", "s1", "s2", "s3", "s4")
LINES_A_SECOND = 10
SECRET = "hunter2-do-not-tell"


def test_a_flood_of_bad_and_of_changing_records_is_cut_short(etcd: Etcd, tmp_path: Path) -> None:
    (folder := tmp_path / "discover").mkdir()
    tmp_path.chmod(0o755)
    ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
    store = Store(etcd.access)
    good = [
        instance(n, SERVICES[n % 5], address=f"127.0.1.{n % 200 + 1}", port=9000 + n)
        for n in range(MANY)
    ]
    bad = {key(instance(MANY + n, f"bad-{n}")): b"\xff" for n in range(MANY)}
    discover = Discover(folder, etcd.endpoint)
    discover.start()
    try:
        discover.wait_ready()
        before, began = own_lines(discover), time.monotonic()
        put_all(store, bad)
        for weight in (100, 50, 20, 10):
            put_all(store, {key(i): encode(changed(i, ports[i.service], weight)) for i in good})
            wait_for(lambda: discover.applied_revision() == etcd.revision(), 30, "it is applied")
        took_s = time.monotonic() - began
        lines, log = own_lines(discover) - before, discover.log
        wait_for(lambda: weights(discover) == {10}, 30, "all is served")
        refused = json.loads(get(discover.metrics, "/explain", timeout_s=20)[1])["refused"]
    finally:
        discover.end()
        store.close()

    print(f"{lines} lines in {took_s:.1f} s")
    assert lines <= LINES_A_SECOND * max(took_s, 10)
    assert "more lines like this are suppressed" in log
    assert sum(problem["code"] == "BAD_RECORD" for problem in refused.values()) == MANY


def changed(one: Instance, service_port: int, weight: int) -> Instance:
    # Without checks: nothing listens there, and what HAProxy itself says of that is not what is
    # tested.
    return replace(one, service_port=service_port, weight=weight, check=Check(kind="none"))


def own_lines(discover: Discover) -> int:
    """Return how many lines it has said, without what HAProxy writes into the same log: two for
    each server it adds.
    """
    return len(re.findall(r"^\d{4}-\d\d-", discover.log, re.MULTILINE))


def weights(discover: Discover) -> set[int]:
    listeners = json.loads(get(discover.metrics, "/explain", timeout_s=20)[1])["listeners"].values()
    servers = [server for listener in listeners for server in listener["servers"]]
    return {server["weight"] for server in servers} if len(servers) == MANY else set()


def told(where: dict[str, str]) -> list[str]:
    """Return the places in which the secret stands."""
    return [name for name, text in where.items() if SECRET in text]


@pytest.fixture
def locked(etcd: Etcd) -> Etcd:
    etcd.ctl("user", "add", f"root:{SECRET}")
    etcd.ctl("user", "grant-role", "root", "root")
    etcd.ctl("auth", "enable")
    etcd.ctl_flags = (f"--user=root:{SECRET}",)
    return etcd


@pytest.mark.parametrize("password", [SECRET, f"{SECRET}-wrong"], ids=["right", "wrong"])
def test_no_secret_is_logged_or_told(locked: Etcd, tmp_path: Path, password: str) -> None:
    (folder := tmp_path / "discover").mkdir()
    tmp_path.chmod(0o755)
    login = {"ETCD_USER": "root", "ETCD_PASSWORD": password, "LOG_LEVEL": "debug"}
    flags = [
        word
        for name, text in login.items()
        for word in (f"--{name.lower().replace('_', '-')}", text)
    ]
    discover = Discover(folder, locked.endpoint, *flags)
    discover.start()
    with Engine() as engine, Register(tmp_path, locked, wait=False, **login) as register:
        try:
            environment = (
                "-e",
                f"SERVICE_DB_PASSWORD={SECRET}",
                "-e",
                f"SERVICE_API_TOKEN={SECRET}",
            )
            serve(engine, "keeps-a-secret", *environment, "-e", f"DB_PASSWORD={SECRET}")
            if password == SECRET:
                wait_for(lambda: "keeps-a-secret" in register.get("/explain")[1], 30, "published")
                wait_for(
                    lambda: "keeps-a-secret" in get(discover.metrics, "/explain")[1], 30, "served"
                )
            else:
                wait_for(lambda: "invalid user ID or password" in register.log, 30, "refused")
                wait_for(lambda: "invalid user ID or password" in discover.log, 30, "refused")
            paths = ("/explain", "/metrics", "/readyz", "/healthz")
            where = {f"register {path}": register.get(path)[1] for path in paths}
            where |= {f"discover {path}": get(discover.metrics, path)[1] for path in paths}
            register.end(signal.SIGTERM)
            discover.stop()
            where |= {"register's log": register.log, "discover's log": discover.log}
            files = [path for path in folder.iterdir() if path.is_file() and path.suffix != ".log"]
            where |= {path.name: path.read_text(errors="replace") for path in files}
            if password == SECRET:
                where["etcd"] = locked.ctl("get", "", "--prefix")
        finally:
            discover.end()

    assert told(where) == []
