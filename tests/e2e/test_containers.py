"""What happens to a container, and what callers of its service see: real engine, real images."""

import http.client
import json
import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.parts.engine import REGISTER_METRICS, Container, Pair, docker
from tests.parts.pair_service import Calls, Service, container_gone
from tests.parts.wait import wait_for


def explained(pair: Pair) -> str:
    """Return what docker-register tells whoever asks why."""
    return pair.get(REGISTER_METRICS, "/explain").text


def test_a_container_that_runs_is_called_by_its_own_port(service: Service) -> None:
    one = service.run()

    service.wait_answered_by(one)
    service.wait_keys(one)


def test_several_replicas_share_the_calls_and_leave_alone(service: Service) -> None:
    one, two, three = service.run(), service.run(), service.run()
    service.wait_answered_by(one, two, three)

    two.do("stop", "-t", "1")

    service.wait_answered_by(one, three)
    service.wait_keys(one, three)


def test_docker_stop_drains_first_and_withdraws_at_the_end(service: Service) -> None:
    leaving, staying = service.run(DRAIN_S="4"), service.run()
    service.wait_answered_by(leaving, staying)

    leaving.do("kill", "-s", "TERM")

    wait_for(
        lambda: service.states() == {"ready", "draining"}, 10, "the one with the stop signal drains"
    )
    service.wait_answered_by(staying, within_s=3)
    assert leaving.state()["Running"]
    service.wait_keys(staying)


def test_a_harmless_signal_changes_nothing(service: Service) -> None:
    one = service.run()
    service.wait_answered_by(one)

    one.do("kill", "-s", "WINCH")
    other = service.run()

    service.wait_answered_by(one, other)
    assert service.states() == {"ready"}


def test_kill_9_is_withdrawn(service: Service) -> None:
    one, two = service.run(), service.run()
    service.wait_answered_by(one, two)

    one.do("kill")

    service.wait_answered_by(two)
    service.wait_keys(two)


def test_docker_restart_comes_back_with_one_key(service: Service) -> None:
    one = service.run()
    service.wait_answered_by(one)
    before = one.host_port(service.port)

    one.do("restart", "-t", "1")

    service.wait_answered_by(one)
    service.wait_keys(one)
    assert one.host_port(service.port) != before or service.call() == one.short


def test_a_stopped_container_that_starts_again_is_back(service: Service) -> None:
    one = service.run()
    service.wait_answered_by(one)
    one.do("stop", "-t", "1")
    service.wait_keys()

    one.do("start")

    service.wait_answered_by(one)


def test_pause_drains_and_unpause_returns(service: Service) -> None:
    one, two = service.run(), service.run()
    service.wait_answered_by(one, two)

    one.do("pause")
    wait_for(lambda: service.states() == {"ready", "draining"}, 10, "the paused one drains")
    service.wait_answered_by(two)

    one.do("unpause")
    service.wait_answered_by(one, two)


HEALTH = (
    "--health-cmd",
    "python3 -IS /whoami.py check",
    "--health-interval",
    "1s",
    "--health-retries",
    "1",
)


def set_health(container: Container, port: int, state: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", container.host_port(port), timeout=5)
    connection.request("POST", f"/health/{state}")
    connection.getresponse().read()
    connection.close()


def test_a_healthcheck_decides(service: Service) -> None:
    one, two = service.run(*HEALTH, HEALTH="off"), service.run()
    service.wait_answered_by(two)
    wait_for(lambda: one.state()["Health"]["Status"] == "unhealthy", 20, "Docker says unhealthy")
    assert service.answered_by() == {two.short}

    set_health(one, service.port, "on")
    service.wait_answered_by(one, two)

    set_health(one, service.port, "off")
    service.wait_answered_by(two)

    set_health(one, service.port, "on")
    service.wait_answered_by(one, two)


def test_nothing_is_sent_before_the_program_listens(service: Service) -> None:
    """Docker's own proxy accepts on the published port all the while."""
    one = service.run(DELAY_S="3")
    started = time.monotonic()
    early: list[object] = []

    def first_reply() -> bool:
        try:
            return service.call() == one.short
        except ConnectionRefusedError:
            return False  # nobody listens yet: as before the service existed
        except (OSError, AssertionError) as error:
            early.append(error)
            return False

    wait_for(first_reply, 15, "the first reply")

    assert time.monotonic() - started > 2
    assert early == []


def test_rename_keeps_the_instance(service: Service) -> None:
    one = service.run()
    service.wait_answered_by(one)

    docker("rename", one.id, f"{one.name}-renamed")

    wait_for(
        lambda: f"{one.name}-renamed" in service.pair.etcdctl("get", "--prefix", "/services/"),
        10,
        "the new name",
    )
    service.wait_keys(one)
    assert service.answered_by() == {one.short}


def test_several_ports_are_several_services(pair: Pair, service: Service) -> None:
    second = service.port + 500
    one = service.run(
        *("-p", str(second)),
        SERVICE_NAME="",
        PORTS=f"{service.port},{second}",
        **{
            f"SERVICE_{service.port}_NAME": service.name,
            f"SERVICE_{second}_NAME": f"{service.name}-admin",
        },
    )

    wait_for(lambda: service.call() == one.short, 15, "the first port answers")
    wait_for(lambda: service.call(second) == one.short, 15, "the second port answers")
    service.wait_keys(one)
    assert any(key.endswith(f"/{service.name}-admin/{one.short}:{second}") for key in pair.keys())


def test_one_name_for_several_ports_is_refused_with_the_line_to_add(
    pair: Pair, service: Service
) -> None:
    service.run("-p", str(service.port + 500), PORTS=f"{service.port},{service.port + 500}")

    wait_for(lambda: "AMBIGUOUS_PORT" in explained(pair), 15, "the reason is told")
    assert f"SERVICE_{service.port}_NAME" in explained(pair)
    assert service.keys() == []


def test_service_port_is_what_callers_dial(service: Service) -> None:
    dialled = service.port + 500
    one = service.run(SERVICE_PORT=str(dialled))

    wait_for(lambda: service.call(dialled) == one.short, 15, "it answers on the port it names")


def test_ignore_is_a_real_boolean(pair: Pair, service: Service) -> None:
    ignored, kept = service.run(SERVICE_IGNORE="true"), service.run(SERVICE_IGNORE="false")

    service.wait_answered_by(kept)
    service.wait_keys(kept)
    assert "IGNORED" in explained(pair)
    assert ignored.state()["Running"]


def test_host_network_is_called_by_its_labelled_port(pair: Pair, service: Service) -> None:
    held, dialled = service.port + 700, service.port + 800
    labels = {f"SERVICE_{held}_NAME": service.name, f"SERVICE_{held}_PORT": str(dialled)}
    one = pair.engine.run("tandem-whoami", "--net", "host", command=(), PORTS=str(held), **labels)

    wait_for(lambda: pair.get(dialled).text.startswith(service.name), 15, "it answers")
    assert f"/{service.name}/{one.short}:{held}" in "".join(pair.keys())
    container_gone(one)


def test_a_port_that_the_host_holds_is_said_and_costs_nobody_else(
    pair: Pair, service: Service
) -> None:
    """A program in the host's network that names no other port holds its own service port on every
    address.
    """
    held = service.port + 700
    one = pair.engine.run(
        "tandem-whoami",
        "--net",
        "host",
        command=(),
        PORTS=str(held),
        **{f"SERVICE_{held}_NAME": f"{service.name}-h"},
    )
    good = service.run()

    wait_for(
        lambda: f"{service.name}-h has no listener" in pair.discover.logs(), 15, "discover says so"
    )
    service.wait_answered_by(good)
    container_gone(one)


def test_a_container_on_a_network_of_its_own_is_reached(pair: Pair, service: Service) -> None:
    network = pair.engine.network(service.name)
    one = service.run("--net", network)

    service.wait_answered_by(one)


def test_service_network_announces_the_containers_own_address(pair: Pair, service: Service) -> None:
    network = pair.engine.network(service.name)
    one = pair.engine.run(
        *("tandem-whoami", "--net", network),
        command=(),
        PORTS=str(service.port),
        SERVICE_NETWORK=network,
        **{f"SERVICE_{service.port}_NAME": service.name},
    )
    wait_for(lambda: service.call() == one.short, 15, "it answers without a published port")
    container_gone(one)


def test_the_same_name_again_is_another_container(service: Service) -> None:
    one = service.run(name="phoenix")
    service.wait_answered_by(one)

    container_gone(one)
    two = service.run(name="phoenix")

    service.wait_answered_by(two)
    service.wait_keys(two)


@pytest.mark.parametrize(
    ("label", "value", "said"),
    [
        ("SERVICE_ROLE", "stubb", "'stubb'"),
        ("SERVICE_MODE", "ftp", "'ftp'"),
        ("SERVICE_NAME", "x\n  server evil 10.0.0.1:1", "SERVICE_NAME"),
        ("SERVICE_PORT", "eighty", "'eighty'"),
        ("SERVICE_IGNORE", "perhaps", "'perhaps'"),
        ("SERVICE_HOSTS", "a/b", "'a/b'"),
    ],
)
def test_a_bad_label_gets_one_line_and_the_others_work(
    pair: Pair, service: Service, label: str, value: str, said: str
) -> None:
    bad = service.run("--label", f"{label}={value}")
    good = service.run()

    service.wait_answered_by(good)
    wait_for(lambda: bad.name in pair.register.logs(), 10, "the bad one is named")
    [line] = [line for line in pair.register.logs().splitlines() if bad.name in line]
    assert label in line
    assert said in line
    assert bad.short not in "".join(pair.keys())


@pytest.mark.parametrize(
    ("label", "value", "said"),
    [
        ("SERVICE_WEIGHT", "300", "'300'"),
        ("SERVICE_CHECK_HTTP", "/x y", "'/x y'"),
        ("SERVICE_CHECK_INTERVAL", "soon", "'soon'"),
        ("SERVICE_BALANCE", "random\nbind *:22", "SERVICE_BALANCE"),
    ],
)
def test_a_bad_label_that_only_tunes_gets_one_line_and_its_default(
    pair: Pair, service: Service, label: str, value: str, said: str
) -> None:
    bad = service.run("--label", f"{label}={value}")
    good = service.run()

    service.wait_answered_by(bad, good)

    def told() -> list[str]:
        lines = pair.register.logs().splitlines()
        return [line for line in lines if bad.name in line and "NOT_APPLIED" in line]

    [line] = wait_for(told, 10, "the bad label is named")
    assert label in line
    assert said in line


@pytest.fixture
def other(pair: Pair) -> Iterator[Service]:
    another = Service(pair)
    yield another
    another.remove()


def test_two_services_of_one_port_the_oldest_keeps_it_over_its_restarts(
    pair: Pair, service: Service, other: Service
) -> None:
    one = service.run("--restart", "always", name="holder")
    service.wait_answered_by(one)
    held = f"/services/v1/holds/port/{service.port}"
    wait_for(lambda: held in pair.etcdctl("get", held), 10, "the port is held")

    two = other.run(SERVICE_PORT=str(service.port))
    wait_for(lambda: "PORT_CLAIMED" in pair.discover.logs(), 15, "the newcomer gets a reason")
    assert service.answered_by() == {one.short}

    with Calls(service) as calls:
        one.do("restart", "-t", "1")
        calls.wait_answered_by(one)
        crash(one)
        calls.wait_unanswered()
        calls.wait_answered_by(one)
        container_gone(one)
        calls.wait_unanswered()
        again = service.run(name="holder")
        calls.wait_answered_by(again)
        container_gone(again)
        calls.wait_unanswered()
        pair.discover.do("restart", "-t", "1")
        pair.wait_until_ready()
        calls.wait_unanswered()

    # Never the one that waits, until it is given the port.
    assert calls.answered_by == {one.short, again.short}
    said = pair.discover.exec("docker-discover", "--release", str(service.port))
    assert f"service port {service.port} is free; {service.name} held it since" in said
    wait_for(lambda: service.call() == two.short, 15, "the port is free for the next")


def crash(container: Container) -> None:
    """Kill its program, which the engine takes for no stop: a restart policy starts it again."""
    os.kill(container.state()["Pid"], signal.SIGKILL)


CRASHING = "python3 -IS /whoami.py & sleep 1; exit 1"


def test_a_crash_loop_costs_two_writes_in_ten_seconds_and_no_reload(
    pair: Pair, service: Service
) -> None:
    """It lives long enough to be offered, dies, and Docker starts it again and again."""
    steady = service.run()
    service.wait_answered_by(steady)
    # The new worker may answer before the reload is told.
    reloads = wait_for(
        lambda: reloads_for(pair, service), 10, "the reload for a new service is told"
    )
    looping = pair.engine.run(
        *("tandem-whoami", "--restart", "always", "-p", str(service.port), "--entrypoint", "sh"),
        PORTS=str(service.port),
        SERVICE_NAME=service.name,
        command=("-c", CRASHING),
    )

    watching = (
        "timeout",
        "20",
        "etcdctl",
        "watch",
        "--prefix",
        "/services/v1/hosts/",
        "--rev",
        revision(pair),
    )
    seen = docker("exec", pair.etcd.id, *watching, check=False)

    of_it = [
        line for line in seen.splitlines() if line.endswith(f"/{looping.short}:{service.port}")
    ]
    assert 1 <= len(of_it) <= 4, "two writes in each ten seconds"
    assert looping.inspect()["RestartCount"] >= 3
    assert reloads_for(pair, service) == reloads
    assert service.answered_by() == {steady.short}
    container_gone(looping)


def reloads_for(pair: Pair, service: Service) -> int:
    """Return how often HAProxy was reloaded for a service; other tests on this engine have
    theirs.
    """
    lines = pair.discover.logs().splitlines()
    return sum("reloaded" in line and f"{service.name}:" in line for line in lines)


def revision(pair: Pair) -> str:
    """Return the revision that comes next."""
    return str(json.loads(pair.etcdctl("get", "nothing", "-w", "json"))["header"]["revision"] + 1)
