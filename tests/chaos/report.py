"""What a run of chaos says: a line for each round, one table at the end, and the same as files."""

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from lab.fleet import Fleet
from tests.chaos.fault import Fault
from tests.chaos.judge import Round

LOG_LINES, LOG_WIDTH = 8, 220
HEAD = (
    "fault",
    "rows",
    "times",
    "alone",
    "worst bound seen (measure)",
    "calls lost",
    "slowest call",
    "",
)


def line(done: Round, began_s: float) -> str:
    """Return a round's own line, and what it broke below it."""
    words = " + ".join(map(str, done.faults))
    said = (
        f"round {done.number:>3}  {began_s:7.1f} s  "
        f"{'ok' if not done.broken else 'BROKEN':<6}  {words}"
    )
    return "\n".join([said, *(f"           {each}" for each in done.broken)])


def table(rounds: Sequence[Round]) -> str:
    """Return the table of all kinds that were run, as Markdown."""
    kinds = dict.fromkeys(type(fault) for done in rounds for fault in done.faults)
    rows = [
        HEAD,
        tuple("---" for _ in HEAD),
        *(_row(kind, rounds) for kind in sorted(kinds, key=_order)),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def summary(rounds: Sequence[Round], seed: int) -> str:
    """Return one paragraph of totals."""
    faults = sum(len(done.faults) for done in rounds)
    kinds = len({type(fault) for done in rounds for fault in done.faults})
    broken = [done.number for done in rounds if done.broken]
    calls, lost = sum(done.calls for done in rounds), sum(done.lost for done in rounds)
    wrong = sum(done.wrong for done in rounds)
    return (
        f"Seed {seed}: {len(rounds)} rounds, {faults} faults of {kinds} kinds, {calls} calls, "
        f"{lost} lost as the "
        f"catalogue allows, {wrong} replies from a wrong service, {len(broken)} rounds broken"
        + (f" ({', '.join(map(str, broken))})." if broken else ".")
    )


def write(folder: Path, rounds: Sequence[Round], seed: int) -> None:
    """Write both files of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    documents = [
        {**asdict(done), "faults": [str(fault) for fault in done.faults]} for done in rounds
    ]
    (folder / f"{seed}.json").write_text(json.dumps(documents, indent=1) + "\n")
    (folder / f"{seed}.md").write_text(f"{summary(rounds, seed)}\n\n{table(rounds)}\n")


def last_words(fleet: Fleet, folder: Path) -> str:
    """Keep the logs of all sidecars, and return the last lines of each."""
    folder.mkdir(parents=True, exist_ok=True)
    said = [f"           all logs: {folder}"]
    for host in fleet.hosts:
        for process in (host.register, host.discover):
            shutil.copy(process.log_file, folder / f"{host.name}-{process.name}.log")
            own = [
                words for words in process.log.splitlines() if words[:2] == "20"
            ]  # HAProxy speaks there, too
            said += [
                "",
                f"--- {host.name} {process.name}",
                *(words[:LOG_WIDTH] for words in own[-LOG_LINES:]),
            ]
    return "\n".join(said)


def _order(kind: type[Fault]) -> tuple[int, str]:
    return kind.rows[0], kind.words()


def _row(kind: type[Fault], rounds: Sequence[Round]) -> tuple[str, ...]:
    all_of = [done for done in rounds if any(type(fault) is kind for fault in done.faults)]
    alone = [done for done in all_of if len(done.faults) == 1]
    return (
        kind.words(),
        ", ".join(map(str, kind.rows)),
        str(len(all_of)),
        str(len(alone)),
        _worst(alone) or "–",
        str(sum(done.lost for done in alone)),
        f"{max((done.longest_ms for done in alone), default=0):.0f} ms",
        "✗"
        if any(done.broken for done in alone)
        else "✗ with another"
        if any(d.broken for d in all_of)
        else "ok",
    )


def _worst(rounds: Iterable[Round]) -> str:
    """Return the worst value of each measure, beside its bound."""
    worst: dict[str, tuple[float, float]] = {}
    for each in (measure for done in rounds for measure in done.measures):
        worst[each.what] = max(worst.get(each.what, (0.0, 0.0)), (each.seconds, each.bound_s))
    return "; ".join(
        f"{what} {seconds:.2f} s (≤ {bound:g} s)" for what, (seconds, bound) in worst.items()
    )
