"""docs/first-hour.md, run as it stands: each command prints what the page shows."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.parts.engine import docker
from tests.parts.wait import wait_for

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "first-hour.md"
NAMES = ("hello-1", "hello-2", "hello-3", "shop", "orders", "orders-stub")
# The images are there already: what `make` would build is not built again.
STANDS_FOR = {"make up": "images/stack.sh up", "make down": "images/stack.sh down"}
WITHIN_S = 20.0

# What differs each time, and what it looks like.
VARYING = {
    r"\b[0-9a-f]{64}\b": "[0-9a-f]{64}",
    r"\b[0-9a-f]{12}\b": "[0-9a-f]{12}",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ": r"\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ",
}
ANYTHING = "…"


@dataclass(frozen=True)
class Step:
    command: str
    output: str

    @property
    def pattern(self) -> str:
        """What the output must match: the page's text, but for ids, times and `…`."""
        pattern = re.escape(self.output).replace(r"\-", "-")
        for example, shape in VARYING.items():
            pattern = re.sub(example, shape, pattern)
        return pattern.replace(re.escape(ANYTHING + "\n"), "(?s:.*)")

    @property
    def can_be_repeated(self) -> bool:
        return self.command.startswith(("curl", "docker exec"))


def steps_of(page: str) -> list[Step]:
    blocks = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    entries = [entry for block in blocks for entry in block.split("$ ")[1:]]
    return [Step(*entry.split("\n", 1)) for entry in entries]


def run(step: Step, folder: Path) -> str:
    command = STANDS_FOR.get(step.command, step.command)
    if command != step.command:
        command = f"cd {ROOT} && {command}"

    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.stdout if done.returncode == 0 else f"status {done.returncode}: {done.stderr}"


def prints_what_the_page_says(step: Step, folder: Path) -> bool:
    output = run(step, folder)
    assert re.fullmatch(step.pattern, output), f"{step.command}\nprinted {output!r}"
    return True


@pytest.fixture
def clean() -> Iterator[None]:
    docker("rm", "-f", "-v", *NAMES, check=False)
    subprocess.run([ROOT / "images" / "stack.sh", "down"], check=True, capture_output=True)
    yield
    docker("rm", "-f", "-v", *NAMES, check=False)
    subprocess.run([ROOT / "images" / "stack.sh", "down"], check=True, capture_output=True)


def test_each_step_prints_what_the_page_says(clean: None, tmp_path: Path) -> None:
    steps = steps_of(PAGE.read_text())
    assert len(steps) > 20

    for step in steps:
        # A change arrives within milliseconds, but not before the command that makes it returns.
        if step.can_be_repeated:
            holds = partial(prints_what_the_page_says, step, tmp_path)
            wait_for(holds, WITHIN_S, step.command)
        else:
            assert prints_what_the_page_says(step, tmp_path)
