"""Load without a pause from so many connections, by wrk or h2load, and what became of it."""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.report.figures import percentile

# wrk itself prints no p99.9
_LUA = """
done = function(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '\\n{"done": %d, "us": %d, "p50": %d, "p99": %d, "p999": %d, "failed": %d}\\n',
        summary.requests, summary.duration,
        latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout
    ))
end
"""
GRACE_S = 20.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What one slice of load showed; latencies are in milliseconds."""

    done: int
    failed: int
    rate: float
    p50_ms: float
    p99_ms: float
    p999_ms: float


def wrk(url: str, seconds: int, connections: int, *, close: bool = False) -> Measured:
    """Call by HTTP/1.1, with a new connection for each call if asked.

    wrk counts a call's time from when it is connected.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_LUA)
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script.name]
        if close:
            command += ["-H", "Connection: close"]
        return of_wrk(_output([*command, url], seconds))


def of_wrk(text: str) -> Measured:
    """Read what the script above writes, the last line."""
    line = text.strip().splitlines()[-1]
    report = json.loads(line)
    done = report["done"]
    return Measured(
        done=done,
        failed=report["failed"],
        rate=done / report["us"] * 1e6,
        p50_ms=report["p50"] / 1000,
        p99_ms=report["p99"] / 1000,
        p999_ms=report["p999"] / 1000,
    )


def h2load(url: str, seconds: int, connections: int) -> Measured:
    """Call by HTTP/2 without TLS, one call at a time on each connection."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "calls"
        command = ["h2load", "-t1", f"-c{connections}", f"-D{seconds}", f"--log-file={log}"]
        _output([*command, url], seconds)
        return of_h2load(log.read_text(), seconds)


def of_h2load(text: str, seconds: float) -> Measured:
    """Read h2load's log: begin, status and microseconds of each call, in columns."""
    took_ms = []
    failed = 0
    for line in text.splitlines():
        _, status, microseconds = line.split("\t")
        if status == "200":
            took_ms.append(int(microseconds) / 1000)
        else:
            failed += 1

    return Measured(
        done=len(took_ms),
        failed=failed,
        rate=len(took_ms) / seconds,
        p50_ms=percentile(took_ms, 50),
        p99_ms=percentile(took_ms, 99),
        p999_ms=percentile(took_ms, 99.9),
    )


def _output(command: Sequence[str], seconds: float) -> str:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds + GRACE_S,
        check=False,
    )
    if done.returncode != 0:
        raise OSError(f"{command[0]}: status {done.returncode}: {done.stdout}{done.stderr}")

    return done.stdout
