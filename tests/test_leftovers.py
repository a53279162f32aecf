"""What a killed run of tests leaves is found by its mark and ended, and nothing else is."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.proc import started_ticks
from tests.parts import leftovers

HOUSE = Path(__file__).parent.parent
KILLED = """
import os, pathlib, signal, subprocess, sys
from functools import partial
from tests.parts import leftovers

ledgers, folder = map(pathlib.Path, sys.argv[1:])
leftovers.begin(ledgers)
leftovers.note("folder", folder, ledgers)
folder.mkdir()
(folder / "data").write_text("much")
started = partial(subprocess.Popen, ["sleep", "300"], stdout=subprocess.DEVNULL)
inheriting = started()
bare = started(env={"PATH": os.environ["PATH"]})
leftovers.note("process", leftovers.mark_of(bare.pid), ledgers)
print(inheriting.pid, bare.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def ledgers(tmp_path: Path) -> Path:
    return tmp_path / "ledgers"


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """The user's own program, of the same name."""
    unmarked = {"PATH": os.environ["PATH"]}
    with subprocess.Popen(["sleep", "300"], env=unmarked) as process:
        yield process
        process.kill()


def run_and_kill(ledgers: Path, folder: Path) -> list[int]:
    """Let a run start two processes and be killed; return their pids."""
    command = [sys.executable, "-c", KILLED, str(ledgers), str(folder)]
    done = subprocess.run(
        command, cwd=HOUSE, stdout=subprocess.PIPE, text=True, timeout=30, check=False
    )
    assert done.returncode == -signal.SIGKILL
    return [int(word) for word in done.stdout.split()]


def test_what_a_killed_run_left_is_ended_and_no_more(
    tmp_path: Path, ledgers: Path, bystander: subprocess.Popen[bytes]
) -> None:
    folder = tmp_path / "folder"
    left = run_and_kill(ledgers, folder)
    assert all(started_ticks(pid) for pid in left)
    assert folder.exists()

    swept = leftovers.sweep(ledgers)

    assert sorted(swept) == sorted([*(f"process {pid}" for pid in left), f"folder {folder}"])
    assert not any(started_ticks(pid) for pid in left)
    assert not folder.exists()
    assert list(ledgers.iterdir()) == []
    assert bystander.poll() is None


def test_a_run_that_lives_keeps_what_it_has(tmp_path: Path, ledgers: Path) -> None:
    leftovers.begin(ledgers)
    leftovers.note("folder", tmp_path, ledgers)

    assert leftovers.sweep(ledgers) == []

    assert tmp_path.exists()
    leftovers.end(ledgers)
    assert list(ledgers.iterdir()) == []


def test_a_process_that_got_the_number_of_a_noted_one_is_not_ended(
    ledgers: Path, bystander: subprocess.Popen[bytes]
) -> None:
    pid, ticks, boot = leftovers.mark_of(bystander.pid).split("-")
    ledgers.mkdir()
    earlier = f"{pid}-{int(ticks) - 1}-{boot}"
    (ledgers / earlier).write_text(f"process {earlier}\n")

    assert leftovers.sweep(ledgers) == []

    assert bystander.poll() is None
    assert list(ledgers.iterdir()) == []


def test_a_mark_of_another_boot_names_nobody(
    ledgers: Path, bystander: subprocess.Popen[bytes]
) -> None:
    pid, ticks, _ = leftovers.mark_of(bystander.pid).split("-")
    ledgers.mkdir()
    (ledgers / f"{pid}-{ticks}-another").write_text(f"process {pid}-{ticks}-another\n")

    assert leftovers.sweep(ledgers) == []

    assert bystander.poll() is None
