"""TAB in bash, zsh and fish, each really run, over a real etcd."""

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.asking.refusals import Refusal, encode
from catalog.asking.said_keys import refused_key
from catalog.keys import OwnerKey, key_of
from ctl.completion.cache import path_of, read
from ctl.settings import reach_of
from tests.parts.discover import publish
from tests.parts.etcd import Etcd
from tests.parts.records import PREFIX, instance
from tests.parts.terminal import Terminal
from tests.parts.wait import wait_for

HOUSE = Path(__file__).parents[3]
PROGRAM = '#!/bin/sh\nexec "{python}" -m ctl "$@"\n'
START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(tandem completion bash)"'),
    "zsh": (
        ["zsh", "-f", "-i"],
        'autoload -Uz compinit && compinit -u -D; eval "$(tandem completion zsh)"',
    ),
    "fish": (["fish", "--no-config", "-i"], "tandem completion fish | source"),
}
WITHIN_S = 20.0


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Etcd]:
    with Etcd(tmp_path) as it:
        publish(it, instance(1, service="orders"), instance(2, service="organs"))
        publish(it, instance(3, service="pets"))
        for host in ("h1", "h9"):
            it.ctl("put", key_of(PREFIX, OwnerKey(host)), "x")
        refused = Refusal("shop:80", "BAD_LABEL", "")
        it.ctl("put", refused_key(PREFIX, "h9"), encode((refused,)).decode())
        yield it


@pytest.fixture
def environ(tmp_path: Path, etcd: Etcd) -> dict[str, str]:
    """Give the environment of a user who has `tandem`, and no names yet."""
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    program = home / "bin" / "tandem"
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    return {
        "HOME": str(home),
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(HOUSE),
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
        "ETCD_HOST": etcd.endpoint,
        "ETCD_PREFIX": PREFIX,
    }


def complete(environ: dict[str, str], *words: str) -> list[str]:
    """Return what is offered for the last word, as bash is told."""
    asked = {
        "COMP_WORDS": " ".join(["tandem", *words]),
        "COMP_CWORD": str(len(words)),
        "_TANDEM_COMPLETE": "bash_complete",
    }
    done = subprocess.run(
        ["tandem"], env=environ | asked, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [line.removeprefix("plain,") for line in done.stdout.split()]


@pytest.mark.parametrize("shell", START)
def test_tab_completes_a_name(shell: str, environ: dict[str, str]) -> None:
    command, script = START[shell]
    with Terminal(command, environ | {"PS1": "$ "}) as terminal:
        terminal.type(f"{script}\necho rea''dy\n")
        terminal.wait_shown("ready", WITHIN_S)
        terminal.type("tandem explain ord\t")
        terminal.wait_shown("ers", WITHIN_S)
        terminal.type("\x15tandem expl\t")
        terminal.wait_shown("ain", WITHIN_S)


def test_names_of_every_kind_are_offered(environ: dict[str, str]) -> None:
    assert complete(environ, "explain", "or") == ["orders", "orders-1", "organs", "organs-2"]
    assert complete(environ, "explain", "sh") == ["shop"]
    assert complete(environ, "ls", "--host", "h") == ["h1", "h9"]
    assert complete(environ, "wait", "--on", "host/h1,host/h") == [
        "host/h1,host/h1",
        "host/h1,host/h9",
    ]
    assert complete(environ, "show", "host/") == ["host/h1", "host/h9"]
    assert "wait" in complete(environ, "")
    assert complete(environ, "ls", "--problems", "--no-such", "pe") == ["pets"]
    assert complete(environ, "nosuch", "x") == []

    kept = path_of(environ, reach_of({}, environ))
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_old_names_are_offered_at_once_and_renewed_behind(
    environ: dict[str, str], etcd: Etcd
) -> None:
    assert complete(environ, "ls", "") == ["orders", "organs", "pets"]
    publish(etcd, instance(4, service="dogs"))
    assert complete(environ, "ls", "") == ["orders", "organs", "pets"], "kept for 30 s"

    kept = path_of(environ, reach_of({}, environ))
    for path in (kept, kept.with_suffix(".tried")):
        os.utime(path, (time.time() - 31,) * 2)
    assert "pets" in complete(environ, "ls", "")
    wait_for(lambda: "dogs" in read(kept)["services"], 10, "the new name is kept")


def test_without_etcd_tab_says_nothing_and_soon(environ: dict[str, str]) -> None:
    away = environ | {"ETCD_HOST": "127.0.0.1:1"}
    assert complete(away, "ls", "") == []
    began_s = time.monotonic()
    assert complete(away, "ls", "") == [], "etcd is not asked again"
    assert time.monotonic() - began_s < 1.0


def test_what_is_wrong_in_a_line_or_a_file_is_no_error(environ: dict[str, str]) -> None:
    assert complete(environ, "ls", "--output", "x", "--timeout", "1", "pe") == ["pets"]
    folder = Path(environ["HOME"], ".config", "tandem")
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("[")
    assert complete(environ, "ls", "--context", "x", "o") == []
