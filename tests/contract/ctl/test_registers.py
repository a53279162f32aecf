"""`tandem` over a real etcd, docker-register and docker-discover: what is refused on a host is
explained from anywhere. The engine is scripted.
"""

from pathlib import Path
from typing import Any

import pytest

from catalog.asking.said_keys import refused_key
from ctl import ends, program
from tests.parts.backend import backend
from tests.parts.discover import discovering
from tests.parts.etcd import Etcd
from tests.parts.ports import free_port
from tests.parts.records import PREFIX, container_id
from tests.parts.register import Register
from tests.parts.scripted_engine import answers_with, inspected, scripted_engine
from tests.parts.wait import wait_for


def container(number: int, service: str, binding: list[dict[str, str]] | None) -> dict[str, Any]:
    """Return a container as the engine describes it; without a binding nothing is published."""
    found: dict[str, Any] = inspected(number)
    labels = {"SERVICE_NAME": service, "SERVICE_PORT": str(free_port())}
    found["Id"] = container_id(number)
    found["State"] = {**found["State"], "Status": "running"}
    found["Config"] = {**found["Config"], "Labels": labels, "ExposedPorts": {"80/tcp": {}}}
    found["NetworkSettings"] = {**found["NetworkSettings"], "Ports": {"80/tcp": binding}}
    return found


def test_a_refused_and_a_published_container_are_explained(
    tmp_path: Path, etcd: Etcd, capsys: pytest.CaptureFixture[str]
) -> None:
    def tandem(*words: str) -> tuple[int, str]:
        status = program.run(words, {"ETCD_HOST": etcd.endpoint, "ETCD_PREFIX": PREFIX})
        said = capsys.readouterr()
        return status, said.out + said.err

    with backend("orders") as at:
        engine = answers_with(
            [
                container(1, "orders", [{"HostIp": "127.0.0.1", "HostPort": str(at)}]),
                container(2, "shop", None),
            ]
        )
        with (
            scripted_engine(engine) as docker_host,
            Register(tmp_path, etcd, wait=False, DOCKER_HOST=docker_host, HOST_IP="127.0.0.1"),
            discovering(tmp_path / "d", etcd.endpoint, "--host-id", "h1"),
        ):
            told = refused_key(PREFIX, "h1")
            wait_for(lambda: etcd.ctl("get", told), 20, "docker-register can be asked")
            assert tandem("wait", "orders", "--timeout", "20s")[0] == ends.DONE
            for what in ("orders", "scripted-1"):
                status, said = tandem("explain", what)
                assert (status, "✗" in said) == (ends.DONE, False), said
                assert "is published as orders:" in said
                assert "the host's lease is alive" in said
                assert "is UP" in said

            for what in ("shop", "scripted-2"):
                status, said = tandem("explain", what)
                assert status == ends.NO
                assert "✓ h1  container scripted-2" in said
                assert "✗ h1  NO_PUBLISHED_PORT" in said
                assert "helps: start it with -P" in said

            status, said = tandem("wait", "shop", "--timeout", "20s")
            assert status == ends.NO
            assert "NO_PUBLISHED_PORT" in said
            assert "NO_PUBLISHED_PORT" in tandem("ls", "--problems")[1]
