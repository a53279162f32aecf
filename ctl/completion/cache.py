"""The names that TAB offers, kept for 30 s in the user's cache folder, for that user alone.

A program of its own (`learn`) asks etcd, so that TAB does not wait for grpc: old names are offered
at once and renewed behind; only without any does TAB wait for a moment.
"""

import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from ctl.contexts import Context
from ctl.settings import OPTIONS, Reach

FRESH_S = 30.0
OLD_S = 3600.0  # names that are older are worth waiting for new ones
FIRST_S = 1.0
BYTES_MAX = 4 << 20
NAMES_MAX = 20_000
KINDS = ("services", "containers", "doors", "hosts")
# Names come from etcd, and a shell may read more into a sign than the name.
HARMLESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")

Names = Mapping[str, tuple[str, ...]]


def harmless(names: Iterable[object]) -> tuple[str, ...]:
    """Return the names that every shell takes as they are, sorted, and not too many."""
    found = {it for it in names if isinstance(it, str) and HARMLESS.fullmatch(it)}
    return tuple(sorted(found)[:NAMES_MAX])


def path_of(environ: Mapping[str, str], reach: Reach) -> Path:
    """Return where the names of an etcd and a prefix are kept."""
    kept = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or "/", ".cache")
    what = f"{reach} {reach.prefix} {reach.access.user or ''}"
    return Path(kept, "tandem", f"names-{hashlib.blake2s(what.encode()).hexdigest()[:16]}.json")


def offered(
    reach: Reach,
    context: Context,
    flags: Mapping[str, str],
    environ: Mapping[str, str],
) -> Names:
    """Return the names of each kind: those that are kept, or what one second brings."""
    path = path_of(environ, reach)
    age_s = _age_s(path)
    if age_s < FRESH_S:
        return read(path)

    if _age_s(path.with_suffix(".tried")) >= FRESH_S:
        learning = _learn(path, _variables(context, flags, environ))
        if age_s >= OLD_S and learning:
            with contextlib.suppress(subprocess.TimeoutExpired):
                learning.wait(FIRST_S)
    return read(path)


def read(path: Path) -> Names:
    """Return the names in a file; none if there is none, or it is not ours to believe."""
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(BYTES_MAX))
        return {kind: harmless(document.get(kind, ())) for kind in KINDS}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def write(path: Path, names: Mapping[str, Iterable[str]]) -> None:
    """Keep names; for the user alone, as they are of services that not everybody may see."""
    text = json.dumps({kind: harmless(names.get(kind, ())) for kind in KINDS}, sort_keys=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    # Exclusively: what another user may have put there is not written through.
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def note_try(path: Path) -> None:
    """Note that etcd was asked: if it is away, not every TAB asks again."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.with_suffix(".tried").touch(0o600)


def _age_s(path: Path) -> float:
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except OSError:
        return float("inf")


def _variables(
    context: Context, flags: Mapping[str, str], environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of `learn`: with the settings that the line has."""
    rest = {name: text for name, text in environ.items() if not name.startswith("ETCD_")}
    told = {option.name: flags[option.name] for option in OPTIONS if option.name in flags}
    settings = context.settings or {it: environ[it] for it in environ if it.startswith("ETCD_")}
    return {**rest, **settings, **told}


def _learn(path: Path, environ: dict[str, str]) -> "subprocess.Popen[bytes] | None":
    # -P: what lies in the folder of whoever presses TAB is not to be run.
    command = [sys.executable, "-P", "-m", "ctl.completion.learn", str(path)]
    try:
        note_try(path)
        return subprocess.Popen(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return None
