"""The three commands of the pair of 2014, as they stand at the top of design.md, and any container
beside them.
"""

import subprocess
from collections.abc import Iterator

import pytest

from discover.haproxy.ports import bridge_gateway
from tests.parts.engine import docker, fetch
from tests.parts.wait import wait_for

COMMANDS = """
docker run -d --name etcd -p 4001:4001 -p 7001:7001 tandem-etcd
docker run -d --name docker-register -e HOST_IP=$HOST_IP -e ETCD_HOST=$ETCD_HOST \
    -v /var/run/docker.sock:/var/run/docker.sock -t docker-register
docker run -d --net host --name docker-discover -e ETCD_HOST=$ETCD_HOST \
    -p 127.0.0.1:1936:1936 -t docker-discover
"""
NAMES = ("etcd", "docker-register", "docker-discover", "tandem-original")


@pytest.fixture
def original() -> Iterator[None]:
    host_ip = bridge_gateway()
    assert host_ip, "no docker0: these commands need Docker's own bridge"
    docker("rm", "-f", "-v", *NAMES, check=False)
    done = subprocess.run(
        ["bash", "-ec", COMMANDS],
        env={
            "HOST_IP": host_ip,
            "ETCD_HOST": f"{host_ip}:4001",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    yield
    docker("rm", "-f", "-v", *NAMES)


def test_any_container_with_a_published_port_answers_on_the_port_it_exposes(original: None) -> None:
    docker("run", "-d", "-P", "--name", "tandem-original", "tandem-whoami")

    short = docker("inspect", "-f", "{{.Id}}", "tandem-original")[:12]
    wait_for(lambda: fetch("localhost", 8000).text.split()[1] == short, 40, "curl localhost:8000")
    wait_for(lambda: fetch("127.0.0.1", 1936).status == 200, 10, "the stats page")
    wait_for(
        lambda: fetch(bridge_gateway() or "", 8000).text.split()[1] == short, 10, "from a container"
    )
