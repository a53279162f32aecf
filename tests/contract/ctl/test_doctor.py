"""`tandem doctor` over a real etcd, real docker-discovers and real ports."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.keys import DrainedKey, OwnerKey, key_of
from ctl import ends, program
from ctl.examine.kernel import boot_id
from tests.parts.backend import backend
from tests.parts.discover import Discover, discovering, publish
from tests.parts.etcd import Etcd, etcd_cluster, require_login
from tests.parts.ports import free_port
from tests.parts.records import PREFIX, local
from tests.parts.wait import wait_for

OWNER = json.dumps({"v": 1, "host_ip": "127.0.0.1", "boot_id": boot_id()})


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Etcd]:
    with Etcd(tmp_path) as it:
        yield it


@pytest.fixture
def discover(tmp_path: Path, etcd: Etcd) -> Iterator[Discover]:
    own(etcd, "h1")
    with discovering(tmp_path / "d", etcd.endpoint, "--host-id", "h1") as it:
        yield it


def own(etcd: Etcd, host: str) -> None:
    """Let a host have a registrar, on this machine."""
    etcd.ctl("put", key_of(PREFIX, OwnerKey(host)), OWNER)


class Doctor:
    """Calls `tandem doctor` and reads what it prints."""

    def __init__(self, endpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.environ = {"ETCD_HOST": endpoint, "ETCD_PREFIX": PREFIX}
        self._capsys = capsys

    def __call__(self, *words: str) -> tuple[int, list[str]]:
        status = program.run(("doctor", *words), self.environ)
        said = self._capsys.readouterr()
        assert said.err == ""
        return status, [line.strip() for line in said.out.splitlines()]


@pytest.fixture
def doctor(etcd: Etcd, capsys: pytest.CaptureFixture[str]) -> Doctor:
    return Doctor(etcd.endpoint, capsys)


def lines(said: list[str], *words: str) -> list[str]:
    return [line for line in said if all(word in line for word in words)]


def test_a_service_that_answers_and_one_that_is_dead(
    etcd: Etcd, discover: Discover, doctor: Doctor
) -> None:
    port, dead = free_port(), free_port()
    with backend("orders") as at:
        publish(etcd, local(1, at, port, "orders"))
        status, said = doctor("--wait", "20s")
        assert status == ends.DONE, said
        assert lines(said, "✓ 1 of 1 members answer", "leader default")
        assert lines(said, "✓ 1 of 1 docker-discovers answer")
        wait_for(lambda: lines(doctor()[1], f"✓ localhost:{port} (orders) answers"), 10, "a call")
        assert doctor("--fail-on", "warn")[1][-1].startswith("Status: ")

        publish(etcd, local(2, free_port(), dead, "pets"))
        # Until its check fails HAProxy itself still tries to reach it.
        wait_for(lambda: lines(doctor()[1], "✗", "(pets)"), 10, "it is known to be dead")
        status, said = doctor()
        assert status == ends.NO
        assert lines(said, f"✗ localhost:{dead} (pets) does not answer")
        assert "helps: tandem explain pets" in said
        assert lines(said, "Status: 1 error")


def test_disputes_and_hosts_out_of_service(etcd: Etcd, discover: Discover, doctor: Doctor) -> None:
    port = free_port()
    with backend("orders") as at:
        publish(etcd, local(1, at, port, "orders"))
        wait_for(lambda: lines(doctor()[1], "(orders) answers"), 10, "orders has the port")
        publish(etcd, local(2, free_port(), port, "shop"))
        own(etcd, "h2")
        etcd.ctl("put", key_of(PREFIX, DrainedKey("h1")), "{}")
        wait_for(lambda: lines(doctor()[1], "PORT_CLAIMED"), 10, "shop is refused")

        status, said = doctor("-o", "json")
        document = json.loads("\n".join(said))
        texts = {it["text"]: it for it in document["findings"]}
        assert status == ends.NO
        assert document["v"] == 1
        assert "h1 is drained: nothing of it is published" in texts
        alone = "h2: docker-register without docker-discover: nobody can call services there"
        assert texts[alone]["level"] == "warn"
        (claimed,) = (it for text, it in texts.items() if text.startswith("PORT_CLAIMED on h1: "))
        assert (claimed["group"], claimed["level"]) == ("names and ports", "error")

        _, said = doctor("--host", "h1")
        assert not lines(said, "h2")


def test_a_host_that_is_silent(etcd: Etcd, discover: Discover, doctor: Doctor) -> None:
    os.kill(discover.pid(), signal.SIGSTOP)
    try:
        status, said = doctor()
    finally:
        os.kill(discover.pid(), signal.SIGCONT)

    assert status == ends.NO
    assert lines(said, "✗ h1: docker-discover is silent for 3 s")
    wait_for(lambda: doctor()[0] == ends.DONE, 10, "it answers again")


def test_a_full_etcd(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Etcd(tmp_path, flags=("--quota-backend-bytes", str(1024 * 1024))) as etcd:
        doctor = Doctor(etcd.endpoint, capsys)

        def is_full() -> bool:
            try:
                etcd.ctl("put", "/x", "x" * 100_000)
            except AssertionError as error:
                return "database space exceeded" in str(error)
            return False

        wait_for(is_full, 20, "etcd is full")
        status, said = doctor()
        assert status == ends.NO
        assert lines(said, "✗ nobody can be asked")
        assert lines(said, "✗ alarm NOSPACE of default: nothing can be written")
        assert "docs/faults.md#30-etcd-is-full-nospace" in said


def test_etcd_is_away(etcd: Etcd, discover: Discover, doctor: Doctor) -> None:
    port, dead = free_port(), free_port()
    with backend("orders") as at:
        publish(etcd, local(1, at, port, "orders"), local(2, free_port(), dead, "pets"))
        wait_for(lambda: lines(doctor()[1], "✗", "(pets)"), 10, "it is known to be dead")
        doctor.environ["METRICS"] = f"127.0.0.1:{discover.metrics}"
        etcd.kill()

        status, said = doctor()
    assert status == ends.UNREACHABLE
    assert lines(said, f"✗ {etcd.endpoint} does not answer: Connection refused")
    assert lines(said, "docker-discover of this machine serves revision")
    assert lines(said, f"✓ localhost:{port} (orders) answers"), "\n".join(said)
    assert lines(said, f"✗ localhost:{dead} (pets) does not answer")


def test_etcd_is_away_from_a_laptop(etcd: Etcd, doctor: Doctor) -> None:
    doctor.environ["METRICS"] = f"127.0.0.1:{free_port()}"
    etcd.kill()

    status, said = doctor()
    assert status == ends.UNREACHABLE
    assert "✓ no docker-discover answers at this machine's METRICS" in said
    assert said[-1] == "Status: 1 error"


def test_one_member_of_three_is_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with etcd_cluster(tmp_path) as members:
        members[2].kill()
        doctor = Doctor(members[0].endpoint, capsys)

        def said() -> list[str]:
            return list(doctor()[1])

        # It may have been the leader: until there is another one, nobody can read.
        wait_for(lambda: lines(said(), "✓ 2 of 3 members answer"), 20, "another leader")
        assert lines(said(), f"‼ {members[2].endpoint} does not answer")


def test_a_user_without_rights(etcd: Etcd, doctor: Doctor) -> None:
    require_login(etcd, "reader", "read", "/elsewhere/")
    doctor.environ |= {"ETCD_USER": "reader", "ETCD_PASSWORD": "pass"}

    status, said = doctor()
    assert status == ends.GUARD
    assert lines(said, "helps: give it the right to read /services/")


def test_a_host_that_nobody_has(
    etcd: Etcd, discover: Discover, doctor: Doctor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.run(("doctor", "--host", "h7"), doctor.environ) == ends.NOT_FOUND
    assert "near: h1" in capsys.readouterr().err
