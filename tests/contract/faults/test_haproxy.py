"""Faults of HAProxy's program, of what it is given, and of the kernel's limits: rows 41, 47, 48 and
53.
"""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from discover.haproxy import process
from discover.settings import TEMPLATE
from tests.parts.backend import backend
from tests.parts.discover import Discover, publish, withdraw
from tests.parts.etcd import Etcd
from tests.parts.haproxy import FaultyHAProxy, answers, get
from tests.parts.ports import free_ports
from tests.parts.records import local
from tests.parts.wait import wait_for

CHECK_S = 3  # instead of 30
WITH_A_SHORT_CHECK = (
    f"import {process.__name__} as m; m.CHECK_S = {CHECK_S};"
    "from discover.__main__ import main; main()"
)


@pytest.fixture
def program(tmp_path: Path) -> FaultyHAProxy:
    return FaultyHAProxy(tmp_path)


@pytest.fixture
def discover(tmp_path: Path, etcd: Etcd, program: FaultyHAProxy) -> Iterator[Discover]:
    (folder := tmp_path / "discover").mkdir()
    tmp_path.chmod(0o755)
    shutil.copy(TEMPLATE, folder / "haproxy.cfg.j2")
    it = Discover(
        folder,
        etcd.endpoint,
        "--haproxy",
        str(program.path),
        "--template",
        str(folder / "haproxy.cfg.j2"),
    )
    it.program = ("-c", WITH_A_SHORT_CHECK)
    with it:
        yield it


def test_a_check_that_fails_is_made_once_for_a_text(
    etcd: Etcd, discover: Discover, program: FaultyHAProxy
) -> None:
    """Row 48."""
    old, new, newer = free_ports(3)
    with backend("one") as one, backend("two") as two, backend("three") as three:
        publish(etcd, local(1, one, old, "old"))
        wait_for(lambda: answers(old, "one"), 15, "it answers")
        program.mode("fails")
        publish(etcd, local(2, two, new, "new"))
        discover.wait_said("HAProxy refuses the configuration: nothing is good enough")
        withdraw(etcd, local(1, one, old, "old"))
        publish(etcd, local(3, three, old, "old"))
        wait_for(lambda: answers(old, "three"), 5, "servers go on to come and go")
        publish(etcd, local(3, three, old, "old", container_name="renamed"))  # changes no text
        wait_for(lambda: discover.applied_revision() == etcd.revision(), 10, "it is seen")
        tries = program.checks()
        program.mode("works")
        publish(etcd, local(2, two, newer, "new"))
        wait_for(lambda: answers(newer, "two"), 15, "the next text is taken")

    print(f"{tries} tries for three texts")
    # with one more service, without the old instance, with the new one; and once whether it is any
    # service's fault
    assert tries <= 4


def test_a_check_that_hangs_is_ended_and_made_again_later(
    etcd: Etcd, discover: Discover, program: FaultyHAProxy
) -> None:
    """Row 48: no verdict on the text, so it is tried again."""
    old, new = free_ports(2)
    with backend("one") as one, backend("two") as two, backend("three") as three:
        publish(etcd, local(1, one, old, "old"))
        wait_for(lambda: answers(old, "one"), 15, "it answers")
        program.mode("hangs")
        began = time.monotonic()
        publish(etcd, local(2, two, new, "new"))
        discover.wait_said(f"-c took more than {CHECK_S} s", 15)
        wait_for(
            lambda: f"-c took more than {CHECK_S} s" in get(discover.metrics, "/readyz")[1],
            5,
            "/readyz says it",
        )
        publish(etcd, local(3, three, old, "old"))
        wait_for(
            lambda: answers(old, "three"), 3 * CHECK_S, "servers go on to come, between two tries"
        )
        tries, took_s = program.checks(), time.monotonic() - began
        program.mode("works")
        wait_for(lambda: answers(new, "two"), 30, "it is taken")

    print(f"{tries} tries in {took_s:.1f} s, each ended after {CHECK_S} s")
    assert tries <= took_s / CHECK_S + 1


def test_a_missing_haproxy_is_told_and_found_again(
    etcd: Etcd, discover: Discover, program: FaultyHAProxy
) -> None:
    """Row 48."""
    old, new = free_ports(2)
    with backend("one") as one, backend("two") as two, backend("three") as three:
        publish(etcd, local(1, one, old, "old"))
        wait_for(lambda: answers(old, "one"), 15, "it answers")
        away = program.path.rename(program.path.with_name("away"))
        publish(etcd, local(2, two, new, "new"))
        wait_for(
            lambda: "No such file" in get(discover.metrics, "/readyz")[1], 10, "/readyz says it"
        )
        lines = discover.log.count("cannot run")
        publish(etcd, local(3, three, old, "old"))
        wait_for(lambda: answers(old, "three"), 10, "servers go on to come")
        away.rename(program.path)
        wait_for(lambda: answers(new, "two"), 30, "it is found again")

    assert lines == 1


def test_a_service_that_a_template_spoils_keeps_no_other_from_changing(
    etcd: Etcd, discover: Discover
) -> None:
    """Row 41: it waits until the template or its own record is mended, all others go on, new ones
    too.
    """
    good, poison, new = free_ports(3)
    discover.template.write_text(
        TEMPLATE.read_text().replace(
            "    balance {{",
            "{% if listener.service == 'poison' %}\n    nonsense\n{% endif %}\n    balance {{",
        )
    )
    discover.wait_said("reloaded why=")
    with backend("one") as one, backend("two") as two, backend("three") as three:
        publish(etcd, local(1, one, good, "good"))
        wait_for(lambda: answers(good, "one"), 15, "it answers")
        publish(etcd, local(2, two, poison, "poison"))
        discover.wait_said("unknown keyword 'nonsense'")
        began = time.monotonic()
        withdraw(etcd, local(1, one, good, "good"))
        publish(etcd, local(3, three, good, "good"))
        wait_for(lambda: answers(good, "three"), 5, "another service changes")
        took_s = time.monotonic() - began
        began = time.monotonic()
        publish(etcd, local(1, one, new, "new"))
        wait_for(lambda: answers(new, "one"), 5, "a new service comes")
        new_s = time.monotonic() - began
        problem = json.loads(get(discover.metrics, "/explain")[1])["refused"][f"poison:{poison}"]
        assert problem["code"] == "QUARANTINED"
        assert problem["text"].startswith(
            f"poison:{poison} is left out: unknown keyword 'nonsense' in 'listen' section"
        )
        shutil.copy(TEMPLATE, discover.template)
        wait_for(lambda: answers(poison, "two"), 15, "the template is mended")

    print(
        f"another service's instance replaced after {took_s:.1f} s, a new service after "
        f"{new_s:.1f} s"
    )


def test_a_killed_haproxy_is_back_within_two_seconds(etcd: Etcd, discover: Discover) -> None:
    """Row 53."""
    (port,) = free_ports(1)
    took_s = []
    with backend("one") as one:
        publish(etcd, local(1, one, port))
        wait_for(lambda: answers(port, "one"), 15, "it answers")
        for _ in range(5):
            old = discover.haproxy.pids()
            began = time.monotonic()
            discover.haproxy.kill(signal.SIGKILL)
            wait_for(lambda old=old: not set(old) & set(discover.haproxy.pids()), 5, "dead")  # type: ignore[misc]
            wait_for(lambda: answers(port, "one"), 15, "it answers again")
            took_s.append(time.monotonic() - began)

    print("back after " + ", ".join(f"{s:.2f}" for s in took_s) + " s")
    assert sorted(took_s)[len(took_s) // 2] <= 2


WATCH = """
import pathlib, sys
from discover.operator import file_watch as it
from sidecar import log
it.POLL_S = 0.2
log.setup("info", "text")
it.FileWatch(pathlib.Path(sys.argv[1]), "template", lambda why: print(why, flush=True)).run()
"""


@pytest.mark.parametrize("limit", ["max_inotify_instances", "max_inotify_watches"])
@pytest.mark.parametrize("left", [0, 1])
def test_without_inotify_the_template_is_polled(tmp_path: Path, limit: str, left: int) -> None:
    """Row 47, by the limits of a user namespace: those of the machine would be everybody's."""
    template = tmp_path / "haproxy.cfg.j2"
    template.write_text("one")
    spend = f'echo {left} >/proc/sys/user/{limit} && exec "$@"'
    words = [
        "unshare",
        "--user",
        "--map-root-user",
        "sh",
        "-c",
        spend,
        "sh",
        sys.executable,
        "-c",
        WATCH,
    ]
    with (tmp_path / "log").open("wb") as log, (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen([*words, str(template)], stdout=said, stderr=log)
    try:
        seen = wait_for(lambda: (tmp_path / "said").read_text().count("template"), 20, "it watches")
        template.write_text("another text")
        wait_for(
            lambda: (tmp_path / "said").read_text().count("template") > seen, 10, "the edit is seen"
        )
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()

    log_text = (tmp_path / "log").read_text()
    assert (left == 1 and limit == "max_inotify_instances") or "cannot watch the " in log_text, (
        log_text
    )
