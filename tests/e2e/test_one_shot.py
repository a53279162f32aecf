"""What ends by itself, as arguments of `docker run`: the container ends with it, and has its exit
status.
"""

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.engine import COMMAND_S, Engine, docker
from tests.parts.leftovers import LABEL, this_run
from tests.parts.wait import wait_for


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a container that is to end; it is gone afterwards, also if it did not."""
    name = f"tandem-{uuid.uuid4().hex[:8]}"
    label = f"{LABEL}={this_run()}.{name}"
    try:
        return subprocess.run(
            ["docker", "run", "--rm", "--name", name, "--label", label, *arguments],
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
    finally:
        docker("rm", "-f", "-v", name, check=False)


@pytest.fixture(scope="module")
def etcd_alone() -> Iterator[str]:
    with Engine() as engine:
        one = engine.run("tandem-etcd")
        wait_for(
            lambda: "is healthy" in one.exec("etcdctl", "endpoint", "health", check=False),
            30,
            "etcd",
        )
        yield one.id


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ('{% extends "haproxy.cfg.j2" %}\n', 0, "/t/site.j2: good"),
        ("{% if %}\n", 1, "docker-discover: --check: template site.j2 line 1: "),
    ],
)
def test_a_template_is_checked_once(tmp_path: Path, text: str, status: int, said: str) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "site.j2").write_text(text)

    done = run("-v", f"{tmp_path}:/t", "docker-discover", "--check", "--template", "/t/site.j2")

    assert done.returncode == status, done
    assert (done.stdout + done.stderr).count(said) == 1


@pytest.mark.parametrize(
    ("image", "command", "said"),
    [
        ("docker-discover", "--render", "description "),
        ("docker-discover", "--diff", "+++ wanted now"),
        ("docker-register", "--undrain", "not drained host=none"),
        ("docker-register", "--drain", "nothing was drained"),
    ],
)
def test_what_asks_etcd_is_done_once(etcd_alone: str, image: str, command: str, said: str) -> None:
    network = (
        "--network",
        f"container:{etcd_alone}",
        "-e",
        "ETCD_HOST=127.0.0.1:4001",
        "-e",
        "HOST_ID=none",
    )

    done = run(*network, image, command)

    assert done.returncode == (1 if command == "--drain" else 0), done  # there is no such host
    assert (done.stdout + done.stderr).count(said) == 1
