"""Three hosts are asked from one: what is refused on another is explained, and a wait names who is
missing.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ctl import ends
from lab.engine import WHOAMI
from lab.fleet import Fleet
from lab.host import STATS_PORT, Host
from lab.process import LabError
from lab.wait import wait_for
from tests.parts.fleet.service import Service
from tests.parts.fleet.tandem import Said, tandem

TOLD_S = 30.0


@contextmanager
def listening(host: Host, port: int) -> Iterator[None]:
    """Let another program of a host have a port."""
    code = (
        "import signal, socket\n"
        f"taken = socket.create_server(('127.0.0.1', {port}))\n"
        "print('has it', flush=True)\n"
        "signal.pause()"
    )
    with host.namespace.popen(sys.executable, "-c", code) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "has it\n"
        try:
            yield
        finally:
            program.kill()


def start(host: Host, service: str, *flags: str, published: tuple[str, ...] = ("-P",)) -> str:
    """Start a container of a service, which need not be published."""
    name = f"SERVICE_NAME={service}"
    return host.engine.run(WHOAMI, *published, "--label", name, "--name", f"c-{service}", *flags)


def refused_on(host: Host, taken: int, busy: int) -> dict[str, tuple[str, str]]:
    """Start containers, each refused for another cause: code and a part of what helps, by name."""
    start(host, "unpublished", published=())
    start(host, "ambiguous", "--expose", "9000", "--expose", "9001")
    start(host, "loopback", published=("-p", "127.0.0.1::8000"))
    start(host, "ignored", "--label", "SERVICE_IGNORE=true")
    start(host, "mistyped", "--label", "SERVICE_PORT=eighty")
    start(host, "misnamed", "--label", "SERVICE_8000_NAME=-")
    start(host, "silent", "--env", "DELAY_S=600")
    start(host, "crashing", "--restart", "always", "--env", "PORTS=none")
    start(host, "late", "--health-cmd", "false", "--health-interval", "1h")
    start(host, "claimed", "--label", f"SERVICE_PORT={taken}")
    start(host, "reserved", "--label", f"SERVICE_PORT={STATS_PORT}")
    start(host, "occupied", "--label", f"SERVICE_PORT={busy}")
    return {
        "unpublished": ("NO_PUBLISHED_PORT", "start it with -P"),
        "ambiguous": ("AMBIGUOUS_PORT", "the label of the message"),
        "loopback": ("LOOPBACK_ONLY", "-p without 127.0.0.1"),
        "ignored": ("IGNORED", "without SERVICE_IGNORE"),
        "mistyped": ("BAD_LABEL", "a value that the message allows"),
        "misnamed": ("BAD_NAME", "--label SERVICE_NAME=<name>"),
        "silent": ("NOT_LISTENING", "docker logs --tail 50 c-silent"),
        "crashing": ("CRASH_LOOP", "docker logs --tail 50 c-crashing"),
        "late": ("STARTING", "{{json .State.Health}}"),
        "claimed": ("PORT_CLAIMED", "SERVICE_PORT=auto"),
        "reserved": ("PORT_RESERVED", "SERVICE_PORT=auto"),
        "occupied": ("PORT_IN_USE", "ss -ltnp"),
    }


def test_a_dozen_causes_on_one_host_are_explained_from_another(
    fleet: Fleet, service: Service
) -> None:
    service.run_on(fleet.h2)
    busy = service.port + 500
    with listening(fleet.h1, busy):
        causes = refused_on(fleet.h3, service.port, busy)
        took_s = {name: check_explained(fleet, name, *causes[name]) for name in causes}

    fleet.note("explained within " + ", ".join(f"{n} {s:.2f} s" for n, s in took_s.items()))
    assert len(took_s) >= 10


def check_explained(fleet: Fleet, name: str, code: str, helps: str) -> float:
    """Assert that h1 is told why a service of h3 is not called, and what helps."""

    def is_told() -> Said:
        said = tandem(fleet, fleet.h1, "explain", name)
        if code not in said.out:
            raise LabError(str(said))
        return said

    said = wait_for(is_told, TOLD_S, f"{name} is explained by {code}")
    assert said.status == ends.NO, said
    lines = said.out.splitlines()
    at = next(number for number, line in enumerate(lines) if code in line)
    assert lines[at].startswith("✗"), said.out
    assert helps in lines[at + 1], said.out
    assert lines[at + 2].strip() == f"docs/reasons.md#{code}"
    return said.took_s


def test_a_wait_returns_once_every_host_has_it_and_names_one_that_is_stopped(
    fleet: Fleet, service: Service
) -> None:
    service.run(fleet.h3)
    said = tandem(fleet, fleet.h1, "wait", service.name, "--timeout", "20s")
    assert said.status == ends.DONE, said
    assert said.out.startswith(f"{service.name}  ready 1/1 on 3 of 3 hosts"), said

    fleet.h2.discover.pause()
    service.run(fleet.h3)
    said = tandem(fleet, fleet.h1, "wait", service.name, "--for", "ready=2", "--timeout", "3s")
    assert said.status == ends.DEADLINE, said
    assert "ready 0/2 on 2 of 3 hosts" in said.err, said
    assert "  h2  silent: its docker-discover has not answered" in said.err, said

    fleet.h2.discover.resume()
    said = tandem(fleet, fleet.h1, "wait", service.name, "--for", "ready=2", "--timeout", "20s")
    assert said.status == ends.DONE, said


def test_a_doctor_finds_what_is_wrong_on_any_host_and_in_etcd(
    fleet: Fleet, service: Service
) -> None:
    one = service.run(fleet.h2)
    service.wait_answered_by(one)
    said = tandem(fleet, fleet.h1, "doctor", "--wait", "20s")
    assert said.status == ends.DONE, said
    for words in (
        "3 of 3 members answer",
        "3 of 3 docker-discovers answer",
        f"({service.name}) answer",
        "started containers are in HAProxy within",
    ):
        assert words in said.out, said.out

    member = fleet.etcd.members[2]
    member.kill()
    fleet.h2.discover.pause()
    said = tandem(fleet, fleet.h1, "doctor")
    assert said.status == ends.NO, said
    assert "h2: docker-discover is silent for 3 s" in said.out, said.out
    assert f"{member.endpoint} does not answer" in said.out, said.out
    assert "Status: 1 error" in said.out.splitlines()[-1], said.out
