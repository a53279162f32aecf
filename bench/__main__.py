"""The bench: `python -m bench PART [--option value]`, or all parts and the report without one."""

import argparse
import inspect
import json
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench import (
    calls,
    churn,
    door,
    idle,
    kills,
    new,
    pure,
    reloads,
    restarts,
    rolls,
    scale,
    start,
    stop,
    switches,
)
from bench.report import page
from bench.report.figures import Figure, say
from bench.rig.pair import TAG

RESULTS = Path(__file__).parents[1] / ".run" / "bench"
MODULES = (
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
    calls,
    new,
)
PARTS: dict[str, Callable[..., list[Figure]]] = {
    module.__name__.removeprefix("bench."): module.run for module in MODULES
}
Options = dict[str, float]

# As often and as long as issue 3 asks, where the default is shorter.
FULL: dict[str, Options] = {
    "rolls": {"count": 100},
    "kills": {"count": 100},
    "restarts": {"count": 20},
    "idle": {"seconds_s": 600.0},
}


def main(argv: Sequence[str]) -> int:
    """Run what is asked for; status 1 if a bound was missed and --strict was given."""
    signal.signal(signal.SIGTERM, _exit)
    options = vars(_parser().parse_args(argv))
    part = options.pop("part")
    strict = options.pop("strict", False)
    full = options.pop("full")
    if part == "report":
        return _report()

    if part is None:
        for name in PARTS:
            _run(name, FULL.get(name, {}) if full else {})
        return _report()

    figures = _run(part, options)
    result = page.Result(_command(part, options), tuple(figures))
    print(page.text({part: result}))
    is_missed = any(figure.good is False for figure in figures)
    return 1 if strict and is_missed else 0


def _exit(*_: object) -> None:
    """Leave by an exception: so all that was started is ended."""
    sys.exit(143)


def _run(part: str, options: Options) -> list[Figure]:
    """Measure one part and keep its result."""
    command = _command(part, options)
    say(f"{part}: {command}")
    began = time.monotonic()
    figures = PARTS[part](**options)

    document = {
        "command": command,
        "at": time.strftime("%Y-%m-%d %H:%M"),
        "images": TAG,
        "machine": page.machine(),
        "seconds": round(time.monotonic() - began),
        "figures": [figure.as_dict() for figure in figures],
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=1, ensure_ascii=False)
    (RESULTS / f"{part}.json").write_text(text)
    return figures


def _report() -> int:
    page.write({name: RESULTS / f"{name}.json" for name in PARTS})
    return 0


def _command(part: str, options: Options) -> str:
    """Return the command that measures this again, with the options that are no defaults."""
    command = shlex.join(["python", "-m", "bench", part])
    for parameter in _parameters(part):
        value = options.get(parameter.name, parameter.default)
        if value != parameter.default:
            command += f" {_flag(parameter)} {value:g}"
    return command


def _parser() -> argparse.ArgumentParser:
    """Return a parser with a command for each part; the parameters of its `run` are options."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--full",
        action="store_true",
        help="all parts, as often and as long as issue 3 asks",
    )
    commands = parser.add_subparsers(dest="part")
    commands.add_parser(
        "report",
        help="write docs/bench.md and its pictures from the newest result of each part",
    )
    for part, run in PARTS.items():
        text = sys.modules[run.__module__].__doc__
        command = commands.add_parser(part, help=text, description=text)
        _add_options(command, part)
    return parser


def _add_options(command: argparse.ArgumentParser, part: str) -> None:
    command.add_argument(
        "--strict",
        action="store_true",
        help="status 1 if a bound of issue 3 is missed",
    )
    for parameter in _parameters(part):
        command.add_argument(
            _flag(parameter),
            dest=parameter.name,
            type=type(parameter.default),
            default=parameter.default,
        )


def _parameters(part: str) -> Iterator[inspect.Parameter]:
    signature = inspect.signature(PARTS[part])
    yield from signature.parameters.values()


def _flag(parameter: inspect.Parameter) -> str:
    """Return the option of a parameter: --seconds for seconds_s."""
    words = parameter.name.removesuffix("_s").replace("_", "-")
    return f"--{words}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
