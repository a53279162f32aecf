"""Mark what a run of tests starts, and end what a killed run has left.

Each process that runs tests keeps a ledger, `.run/tests/RUN`, until it ends. RUN is its pid, its
start time and the machine's boot, so it never names another process. RUN also stands in the
environment of every process that it starts, and in the label of every container. The ledger has
what carries no such mark: folders, fleets, and programs that overwrite their environment.

A ledger whose process is gone is a run that was killed: sweep() ends exactly what is marked so.
"""

import contextlib
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lab.fleet import Fleet
from lab.proc import all_pids, started_ticks
from lab.process import LabError, end_all

LEDGERS = Path(__file__).parents[2] / ".run" / "tests"
VARIABLE = "TANDEM_TEST_RUN"
LABEL = "tandem.test"  # of containers, networks and volumes; its value begins with the run
BOOT = Path("/proc/sys/kernel/random/boot_id")
ENGINE_S = 60.0
ROUNDS = 3  # a worker outlives its controller for a moment, and is a run of its own


@functools.cache
def this_run() -> str:
    """Return the mark of this process."""
    return mark_of(os.getpid())


def mark_of(pid: int) -> str:
    """Return what names a process and, unlike its pid, never another one."""
    return f"{pid}-{started_ticks(pid)}-{_boot()}"


def begin(ledgers: Path = LEDGERS) -> None:
    """Begin the ledger of this process, and mark all that it starts from now on."""
    ledgers.mkdir(parents=True, exist_ok=True)
    (ledgers / this_run()).touch()
    os.environ[VARIABLE] = this_run()


def end(ledgers: Path = LEDGERS) -> None:
    """Close the ledger: nothing is left."""
    (ledgers / this_run()).unlink(missing_ok=True)


def note(kind: str, what: object, ledgers: Path = LEDGERS) -> None:
    """Write down a `folder`, a `fleet` or a `process` that a killed run would leave.

    Without a ledger, as in bench, nothing is written.
    """
    ledger = ledgers / this_run()
    if ledger.exists():
        with ledger.open("a") as file:
            file.write(f"{kind} {what}\n")


def note_process(pid: int) -> None:
    """Write down a program that overwrites its environment, such as a database."""
    note("process", mark_of(pid))


@contextlib.contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """Give a folder outside pytest's, which only its owner may enter, and remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix=f"tandem-{prefix}-") as name:
        note("folder", name)
        yield Path(name)


def sweep(ledgers: Path = LEDGERS) -> list[str]:
    """End all that killed runs have left; return what that was."""
    found: list[str] = []
    for _ in range(ROUNDS):
        killed = [ledger for ledger in sorted(ledgers.glob("*-*-*")) if not _lives(ledger.name)]
        if not killed:
            break

        for ledger in killed:
            found += _sweep_run(ledger)
            ledger.unlink(missing_ok=True)

    return found


def _sweep_run(ledger: Path) -> list[str]:
    notes = [line.partition(" ")[::2] for line in _lines(ledger)]
    noted = [
        int(what.partition("-")[0]) for kind, what in notes if kind == "process" and _lives(what)
    ]
    pids = {*noted, *_marked(ledger.name)}
    end_all(pids)
    found = [f"process {pid}" for pid in sorted(pids)]

    found += _remove_from_engine(ledger.name)
    for kind, what in notes:
        if kind == "fleet" and _remove_fleet(Path(what)):
            found.append(f"fleet {what}")
        if kind == "folder" and _remove_folder(Path(what)):
            found.append(f"folder {what}")

    return found


def _lines(ledger: Path) -> list[str]:
    try:
        return ledger.read_text().splitlines()
    except FileNotFoundError:  # another run has swept it
        return []


def _lives(mark: str) -> bool:
    """Whether the process of a mark runs."""
    pid, ticks, boot = mark.split("-")
    return boot == _boot() and started_ticks(int(pid)) == int(ticks)


def _boot() -> str:
    return BOOT.read_text().replace("-", "").strip()


def _marked(run: str) -> Iterator[int]:
    """Return the processes with this run in the environment that they were started with."""
    mark = f"{VARIABLE}={run}".encode()
    for pid in all_pids():
        with contextlib.suppress(OSError):
            if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                yield pid


def _remove_from_engine(run: str) -> list[str]:
    """Remove the containers of a run, then the networks and volumes that they used."""
    found: list[str] = []
    for kind, flags in (("container", ("-a",)), ("network", ()), ("volume", ())):
        removing = ("rm", "-f", "-v") if kind == "container" else ("rm",)
        names = _labelled(run, kind, *flags)
        if names:
            _docker(kind, *removing, *names)
        found += [f"{kind} {name}" for name in names]

    return found


def _labelled(run: str, kind: str, *flags: str) -> list[str]:
    name = "{{.Name}}" if kind != "container" else "{{.Names}}"
    form = f'{name} {{{{.Label "{LABEL}"}}}}'
    listed = _docker(kind, "ls", *flags, "--filter", f"label={LABEL}", "--format", form)
    rows = [line.split() for line in listed.splitlines()]
    return [row[0] for row in rows if row[-1].startswith(f"{run}.")]


def _docker(*arguments: str) -> str:
    """Run the docker command; where no engine answers, nothing was left in it."""
    try:
        done = subprocess.run(
            ["docker", *arguments],
            capture_output=True,
            text=True,
            timeout=ENGINE_S,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return done.stdout


def _remove_fleet(folder: Path) -> bool:
    if not folder.exists():
        return False

    fleet = Fleet(folder)
    try:
        fleet.lock()
    except LabError:  # another process has it now
        return False
    fleet.down()
    return True


def _remove_folder(folder: Path) -> bool:
    if not folder.exists():
        return False

    for row in Path("/proc/self/mountinfo").read_text().splitlines():
        point = row.split(" ")[4]
        if point.startswith(f"{folder}/"):
            subprocess.run(["umount", "-l", point], check=False)
    shutil.rmtree(folder, ignore_errors=True)
    return True
