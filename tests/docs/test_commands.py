"""The commands in the documents: their labels, flags, targets and programs exist and are right."""

import itertools
import re
import shlex

import pytest

from catalog.errors import Rejected
from discover.settings import OPTIONS as DISCOVER
from register.offer.labels import labels_of
from register.offer.reading import read
from register.settings import OPTIONS as REGISTER
from tests.parts.containers import container
from tests.parts.markdown import PAGES, ROOT, Page

IN_A_CONTAINER = {"docker-discover", "docker-register", "etcdctl", "tandem"}
FLAGS = {f"--{option.name.lower().replace('_', '-')}" for option in (*REGISTER, *DISCOVER)}


def programs() -> set[str]:
    """What `docker exec` can run in one of our images."""
    found = set(IN_A_CONTAINER)
    for dockerfile in (ROOT / "images").glob("*/Dockerfile"):
        copies = re.findall(r"^COPY (.+/usr/local/bin/\S*)$", dockerfile.read_text(), re.MULTILINE)
        found |= {path.rpartition("/")[2] for copy in copies for path in copy.split()}
    return found


def words_of(command: str) -> list[str]:
    return shlex.split(re.sub(r"<[^>]*>", "X", command).replace("…", "X"), comments=True)


def given_by(words: list[str], *flags: str) -> dict[str, str]:
    """Return the NAME=VALUE pairs behind these flags of `docker run`."""
    pairs = [after for flag, after in itertools.pairwise(words) if flag in flags]
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def refused_labels(command: str) -> str:
    """Return what docker-register would refuse of a `docker run`, in one line; empty if nothing."""
    words = words_of(command)
    labels = given_by(words, "--label", "-l")
    env = {name: text for name, text in given_by(words, "-e").items() if "SERVICE_" in name}

    found = labels_of(container(labels=labels, env=env))
    try:
        notes = [read(found, port).notes for port in (*found.ports, 8000)]
    except Rejected as error:
        return str(error)
    return "; ".join(note.text for each in (found.notes, *notes) for note in each.values())


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_label_in_a_command_is_one_and_has_a_good_value(page: Page) -> None:
    runs = [command for command in page.commands if "docker run" in command]

    assert [refused_labels(command) for command in runs if refused_labels(command)] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_target_of_make_exists(page: Page) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", page.text, re.MULTILINE))
    named |= {command.split()[1] for command in page.commands if command.startswith("make ")}

    assert named - targets == set()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_program_in_a_container_exists(page: Page) -> None:
    named = set(re.findall(r"docker exec \S+ ([\w-]+)", page.text))

    assert named - programs() == set()
