"""Row 32: logins that run out, roles that are taken away, passwords that change; with both sidecars
as processes.
"""

import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.discover import Discover
from tests.parts.etcd import Etcd, forget_logins, require_login
from tests.parts.haproxy import get
from tests.parts.register import Register
from tests.parts.wait import assert_holds, wait_for

OBSERVED_S = 15
GAP_S = 5
MOST_LOGINS = 3 * (OBSERVED_S // GAP_S + 1)  # three loops, each once in five seconds
LOGIN = {"ETCD_USER": "web", "ETCD_PASSWORD": "pass"}


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Etcd]:
    with Etcd(tmp_path / "etcd") as running:
        require_login(running, "web", "readwrite", "/services/")
        yield running


@pytest.fixture
def register(tmp_path: Path, etcd: Etcd) -> Iterator[Register]:
    with Register(tmp_path, etcd, wait=True, TTL="15", **LOGIN) as running:
        yield running


@pytest.fixture
def discover(tmp_path: Path, etcd: Etcd) -> Iterator[Discover]:
    (folder := tmp_path / "discover").mkdir()
    tmp_path.chmod(0o755)
    with Discover(folder, etcd.endpoint, "--etcd-user", "web", "--etcd-password", "pass") as it:
        yield it


def logins(etcd: Etcd) -> int:
    """Return how many logins etcd has answered, by its own count: every try that is refused begins
    with one.
    """
    with urllib.request.urlopen(f"http://{etcd.endpoint}/metrics", timeout=5) as reply:
        text = reply.read().decode()
    found = re.findall(
        r'^grpc_server_handled_total\{[^}]*grpc_method="Authenticate"[^}]*\} (\S+)',
        text,
        re.MULTILINE,
    )
    return sum(int(float(count)) for count in found)


def leases(etcd: Etcd) -> str:
    return etcd.ctl("lease", "list")


def owner_lease(etcd: Etcd) -> str:
    """Return the line that says under which lease the host is docker-register's."""
    told = etcd.ctl("get", "--prefix", "/services/v1/hosts/", "-w", "fields")
    _, _, of_owner = told.partition("/owner")
    [lease, *_] = [line for line in of_owner.splitlines() if line.startswith('"Lease"')]
    return lease


def test_a_login_that_ran_out_is_made_again_at_once(
    etcd: Etcd, register: Register, discover: Discover
) -> None:
    before = leases(etcd)

    forget_logins(etcd)
    # For more than one keep-alive of the registrar.
    assert_holds(
        lambda: "lost the host lease" not in register.log, GAP_S + 1, "the host is claimed"
    )
    wait_for(register.is_ready, 1, "docker-register is ready")
    assert discover.ready()

    assert leases(etcd) == before


@pytest.mark.parametrize("fault", ["role", "password"])
def test_a_refusal_keeps_everything_and_is_no_storm(
    etcd: Etcd, register: Register, discover: Discover, fault: str
) -> None:
    before = owner_lease(etcd)
    if fault == "role":
        etcd.ctl("user", "revoke-role", "web", "web")
    else:
        # With the tokens of old; no password that it knows is right any more.
        etcd.ctl("user", "delete", "web")
    wait_for(lambda: "etcd:" in register.get("/readyz")[1], 20, "docker-register says it")
    # A watch that is open outlives every change of rights: etcd asks for them when it begins.
    discover.kill()
    discover.start()
    wait_for(lambda: "etcd:" in get(discover.metrics, "/readyz")[1], 20, "docker-discover says it")

    earlier = logins(etcd)
    assert_holds(lambda: logins(etcd) - earlier <= MOST_LOGINS, OBSERVED_S, "it is no storm")
    tries = logins(etcd) - earlier

    if fault == "password":
        etcd.ctl("user", "add", "web:pass")
    etcd.ctl("user", "grant-role", "web", "web")

    began = time.monotonic()
    wait_for(lambda: register.is_ready() and discover.ready(), 30, "both are ready again")
    took_s = time.monotonic() - began
    print(f"{fault}: {tries} logins of three loops; right again after {took_s:.1f} s")
    assert took_s <= 2 * GAP_S + 2  # the registrar's lease first, then what it publishes
    if fault == "role":
        assert owner_lease(etcd) == before
    assert tries <= MOST_LOGINS
