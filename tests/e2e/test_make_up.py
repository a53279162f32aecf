"""The README's first command: it ends with two replies, can be run again, and its opposite leaves
nothing.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.engine import docker

ROOT = Path(__file__).parent.parent.parent
OURS = "label=com.docker.compose.project=tandem"


def stack(verb: str) -> str:
    """Do what `make up` or `make down` does with the images that are there."""
    done = subprocess.run(
        [ROOT / "images" / "stack.sh", verb],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def clean() -> Iterator[None]:
    stack("down")
    yield
    stack("down")


def test_it_ends_with_replies_of_two_containers_and_leaves_nothing(clean: None) -> None:
    first = stack("up")
    replies = set(re.findall(r"^  whoami ([0-9a-f]{12}) v1$", first, re.MULTILINE))
    assert len(replies) == 2

    again = stack("up")
    assert set(re.findall(r"^  whoami ([0-9a-f]{12}) v1$", again, re.MULTILINE)) == replies

    stack("down")
    assert docker("ps", "-aq", "--filter", OURS) == ""
    assert docker("volume", "ls", "-q", "--filter", OURS) == ""
    assert docker("network", "ls", "-q", "--filter", OURS) == ""


def test_the_pair_that_it_starts_can_be_asked(clean: None) -> None:
    stack("up")

    waited = docker("exec", "tandem-discover", "tandem", "wait", "whoami", "--for", "ready=2")
    listed = docker("exec", "tandem-discover", "tandem", "ls")
    chain = docker("exec", "tandem-discover", "tandem", "explain", "whoami")

    examined = docker("exec", "tandem-discover", "tandem", "doctor")

    assert waited.startswith("whoami  ready 2/2 on 1 of 1 hosts")
    [row] = [line.split() for line in listed.splitlines() if line.startswith("whoami")]
    assert row[:4] == ["whoami", "8088", "tcp", "2/2"]
    assert "\u2717" not in chain
    assert "is UP" in chain
    assert "1 of 1 docker-discovers answer" in examined
    assert "localhost:8088 (whoami)" in examined
    assert "error" not in examined.splitlines()[-1]


def test_the_words_of_the_images_are_those_of_tandem(clean: None) -> None:
    stack("up")
    docker("exec", "tandem-discover", "tandem", "wait", "whoami", "--for", "ready=2")

    # With a name they are the new words; without, they do what they did, and say them.
    assert "is UP" in docker("exec", "tandem-discover", "explain", "whoami")
    assert "tandem explain NAME" in docker("exec", "tandem-register", "explain")
    assert "SINCE" in docker("exec", "tandem-discover", "stubs", "--overdue")
    assert "tandem stubs" in docker("exec", "tandem-discover", "stubs")
    # What Docker runs every 15 s as the health check says nothing of new words.
    assert "tandem" not in docker("exec", "tandem-discover", "ready")

    versions = docker("exec", "tandem-register", "tandem", "version", "--all").splitlines()
    assert versions[1].split() == ["HOST", "DISCOVER", "REGISTER", "HAPROXY", "NOTE"]
    assert versions[2].split()[-1] == "-"
