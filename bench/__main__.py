"""The bench's command: `python -m bench PART [--option value]`, or all parts and the report without one."""

import argparse
import inspect
import json
import shlex
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import (
    churn,
    door,
    idle,
    kills,
    pure,
    reloads,
    report,
    restarts,
    rolls,
    scale,
    start,
    stop,
    switches,
)
from bench.measure import Figure, say
from bench.world import TAG

RESULTS = Path(__file__).parent.parent / ".run" / "bench"
PARTS: dict[str, Callable[..., list[Figure]]] = {
    module.__name__.rpartition(".")[2]: module.run
    for module in (
        start,
        stop,
        rolls,
        kills,
        reloads,
        restarts,
        scale,
        pure,
        churn,
        idle,
        switches,
        door,
    )
}

# What issue 3 asks for where the default is shorter.
FULL: dict[str, dict[str, float]] = {
    "rolls": {"count": 100},
    "kills": {"count": 100},
    "restarts": {"count": 20},
    "idle": {"seconds_s": 600.0},
}


def main(argv: Sequence[str]) -> int:
    """Run what is asked for; status 1 if a bound was missed and --strict was given."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended then too
    options = vars(_parser().parse_args(argv))
    part, strict, full = options.pop("part"), options.pop("strict", False), options.pop("full")
    if part == "report":
        return _report()
    if part is None:
        for name in PARTS:
            _run(name, FULL.get(name, {}) if full else {})
        return _report()
    figures = _run(part, options)
    print(report.text({part: report.Part(_command(part, options), tuple(figures))}))
    return int(strict and any(figure.good is False for figure in figures))


def _run(part: str, options: dict[str, float]) -> list[Figure]:
    say(f"{part}: {_command(part, options)}")
    began = time.monotonic()
    figures = PARTS[part](**options)
    RESULTS.mkdir(parents=True, exist_ok=True)
    document = {
        "command": _command(part, options),
        "at": time.strftime("%Y-%m-%d %H:%M"),
        "images": TAG,
        "seconds": round(time.monotonic() - began),
        "figures": [figure.as_dict() for figure in figures],
    }
    (RESULTS / f"{part}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False))
    return figures


def _report() -> int:
    report.write({name: RESULTS / f"{name}.json" for name in PARTS})
    return 0


def _command(part: str, options: dict[str, float]) -> str:
    """Return the command that measures this again: what differs from the defaults is in it."""
    defaults = {name: p.default for name, p in inspect.signature(PARTS[part]).parameters.items()}
    words = [
        f"--{n.removesuffix('_s').replace('_', '-')} {v:g}"
        for n, v in options.items()
        if v != defaults[n]
    ]
    return shlex.join(["python", "-m", "bench", part]) + "".join(f" {word}" for word in words)


def _parser() -> argparse.ArgumentParser:
    """Return a parser with a command for each part; its options are the parameters of the part's `run`."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help="all parts, as often and as long as issue 3 asks"
    )
    commands = parser.add_subparsers(dest="part")
    commands.add_parser(
        "report", help="write docs/bench.md and the picture from the newest result of each part"
    )
    for name, function in PARTS.items():
        text = sys.modules[function.__module__].__doc__
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument(
            "--strict", action="store_true", help="status 1 if a bound of issue 3 is missed"
        )
        for option, parameter in inspect.signature(function).parameters.items():
            flag = f"--{option.removesuffix('_s').replace('_', '-')}"
            command.add_argument(
                flag, dest=option, type=type(parameter.default), default=parameter.default
            )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
