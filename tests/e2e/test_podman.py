"""Podman as the engine: the images of the pair run under it, with nothing of Docker beside them."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.etcd import Etcd
from tests.parts.leftovers import scratch_folder
from tests.parts.podman import Podman, PodmanPair
from tests.parts.wait import assert_holds, wait_for

WITHIN_S = 10.0
WHOAMI = "tandem-whoami"
IMAGES = ("docker-register", "docker-discover", WHOAMI)
# Accepts, and ignores its stop signal.
STUBBORN = (
    "import signal, socket\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "server = socket.create_server(('', 8000))\n"
    "while True: server.accept()"
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PodmanPair]:
    with (
        Etcd(tmp_path_factory.mktemp("etcd")) as etcd,
        scratch_folder("podman") as folder,
        Podman(Path(folder)) as podman,
    ):
        podman.load(*IMAGES)
        one = PodmanPair(podman, etcd)
        one.start()
        yield one


class Case:
    """Services of one test, with ports of their own."""

    def __init__(self, pair: PodmanPair, port: int) -> None:
        self.pair, self.podman, self.port = pair, pair.podman, port
        self.name = f"s{port}"

    def run(self, *flags: str, name: str = "", **labels: str) -> str:
        """Start a container of the service."""
        labels = {"SERVICE_NAME": name or self.name, "SERVICE_PORT": str(self.port), **labels}
        given = [word for key, text in labels.items() for word in ("--label", f"{key}={text}")]
        return self.podman.run(WHOAMI, "-p", "8000", *given, *flags)

    def run_stubborn(self) -> tuple[str, int]:
        """Start one that ignores its stop signal; return its name and its process id."""
        one = self.podman.run(
            WHOAMI,
            *("-p", "8000", "--label", f"SERVICE_NAME={self.name}", "--entrypoint", "python3"),
            command=("-c", STUBBORN),
        )
        self.wait_states("ready")
        return one, int(self.podman.do("inspect", "-f", "{{.State.Pid}}", one))

    def wait_states(self, *states: str, name: str = "") -> None:
        """Return when the instances are in these states, and in no others."""
        service = name or self.name
        wait_for(
            lambda: self.pair.states(service) == list(states), WITHIN_S, f"{service}: {states}"
        )

    def wait_answered_by(self, container: str) -> None:
        """Return when a call through HAProxy reaches this container."""
        short = self.podman.id(container)
        wait_for(
            lambda: self.pair.call(self.port).text.split()[1] == short,
            WITHIN_S,
            f"a call to {short}",
        )


@pytest.fixture
def case(pair: PodmanPair, request: pytest.FixtureRequest) -> Iterator[Case]:
    number = list(request.session.items).index(request.node)
    yield Case(pair, 8700 + number % 200)

    pair.podman.do("pod", "rm", "-fa", "-t", "0")
    left = set(pair.podman.do("ps", "-a", "--format", "{{.Names}}").split()) - pair.names
    if left:
        pair.podman.do("rm", "-f", "-t", "0", "--depend", *left)


def test_a_container_is_called_from_its_start_to_its_stop(case: Case) -> None:
    one = case.run()
    case.wait_answered_by(one)

    case.podman.do("stop", one)
    case.wait_states()

    case.podman.do("start", one)
    case.wait_answered_by(one)
    case.podman.do("rm", "-f", "-t", "0", one)
    case.wait_states()


def test_the_image_gives_its_base_name(case: Case) -> None:
    one = case.podman.run(f"localhost/{WHOAMI}:latest", "-P")

    wait_for(lambda: case.pair.states(WHOAMI) == ["ready"], WITHIN_S, "its image's name")
    assert case.pair.records(WHOAMI)[0]["image"] == f"localhost/{WHOAMI}:latest"
    case.podman.do("rm", "-f", "-t", "0", one)


def test_a_pause_drains(case: Case) -> None:
    one = case.run()
    case.wait_states("ready")

    case.podman.do("pause", one)
    case.wait_states("draining")

    case.podman.do("unpause", one)
    case.wait_states("ready")


def test_kill_and_restart(case: Case) -> None:
    one = case.run()
    case.wait_answered_by(one)

    case.podman.do("kill", "-s", "WINCH", one)
    assert_holds(lambda: case.pair.states(case.name) == ["ready"], 1, "a harmless signal")
    case.podman.do("kill", one)
    case.wait_states()

    case.podman.do("start", one)
    case.wait_states("ready")
    case.podman.do("restart", "-t", "1", one)
    case.wait_answered_by(one)


def test_a_restart_drains_before_it_stops(case: Case) -> None:
    one, pid = case.run_stubborn()

    begun = case.podman.begin("restart", "-t", "60", one)
    case.wait_states("draining")  # it is still there: only the kill below ends it
    os.kill(pid, signal.SIGKILL)

    assert begun.wait(30) == 0
    case.wait_states("ready")


def test_a_stop_that_takes_its_time_shows_in_the_next_list(case: Case) -> None:
    one, pid = case.run_stubborn()

    begun = case.podman.begin("stop", "-t", "60", one)
    wait_for(
        lambda: case.podman.do("inspect", "-f", "{{.State.Status}}", one) == "stopping",
        WITHIN_S,
        "stopping",
    )
    case.run(name="another")  # its start is an event
    case.wait_states("draining")
    os.kill(pid, signal.SIGKILL)

    assert begun.wait(30) == 0
    case.wait_states()


def test_a_health_check_decides(case: Case) -> None:
    check = ("--health-cmd", "test -e /ok", "--health-interval", "1h", "--health-retries", "1")
    one = case.run(*check)
    wait_for(lambda: f"{one}: its HEALTHCHECK" in case.pair.explained(), WITHIN_S, "STARTING")

    case.podman.do("exec", one, "touch", "/ok")
    case.podman.do("healthcheck", "run", one)
    case.wait_states("ready")

    case.podman.do("exec", one, "rm", "/ok")
    case.podman.do("healthcheck", "run", one, check=False)
    case.wait_states("draining")


def test_the_container_of_a_pod_answers_on_the_pods_port(case: Case) -> None:
    pod = case.podman.do("pod", "create", "-p", "8000", "--name", f"pod-{case.port}")
    labels = ("--label", f"SERVICE_PORT={case.port}", "--label", f"SERVICE_NAME={case.name}")
    one = case.podman.run(WHOAMI, "--pod", pod, *labels)

    # Its host name is the pod's, and that is what it answers.
    wait_for(lambda: case.pair.call(case.port).status == 200, WITHIN_S, "a call into the pod")
    assert "POD_INFRA" in case.pair.explained()
    assert [record["container_name"] for record in case.pair.records(case.name)] == [one]

    case.podman.do("pod", "stop", "-t", "1", pod)
    case.wait_states()


def test_of_several_containers_in_a_pod_a_label_names_the_one_that_listens(case: Case) -> None:
    pod = case.podman.do("pod", "create", "-p", "8000", "--name", f"pod-{case.port}")
    one = case.podman.run(WHOAMI, "--pod", pod, "--label", f"SERVICE_8000_NAME={case.name}")
    sidecar = case.podman.run(WHOAMI, "--pod", pod, "--entrypoint", "sleep", command=("600",))

    case.wait_states("ready")
    wait_for(lambda: f"{sidecar} is shared with {one}" in case.pair.explained(), 5, "POD_PORT")
    assert case.pair.states(WHOAMI) == []


def test_the_labels_of_a_pod_name_its_port(case: Case) -> None:
    label = ("--label", f"SERVICE_NAME={case.name}")
    pod = case.podman.do("pod", "create", "-p", "8000", "--name", f"pod-{case.port}", *label)
    case.podman.run(WHOAMI, "--pod", pod)

    case.wait_states("ready")
    assert case.pair.records(case.name)[0]["container_name"].endswith("-infra")


def test_a_container_on_anothers_network_has_none_of_its_ports(case: Case) -> None:
    one = case.run()
    case.wait_states("ready")

    guest = case.podman.run(
        WHOAMI, "--net", f"container:{one}", "--entrypoint", "sleep", command=("600",)
    )
    wait_for(lambda: f"{guest} publishes no port" in case.pair.explained(), WITHIN_S, "no port")

    case.podman.do("restart", "-t", "1", one)
    case.wait_answered_by(one)
    assert [record["container_name"] for record in case.pair.records(case.name)] == [one]


def test_a_new_docker_register_adopts_what_is_published(case: Case) -> None:
    one = case.run()
    case.wait_states("ready")
    version = case.pair.records(case.name), case.pair.etcd.revision()

    case.podman.do("rm", "-f", case.pair.register)
    case.pair.start_register()
    case.pair.wait_ready(9301)

    case.wait_answered_by(one)
    assert case.pair.records(case.name) == version[0]
    log = case.podman.do("logs", case.pair.register)
    assert "adopted=True" in log, log


def test_a_service_of_podman_that_restarts_is_found_again(case: Case) -> None:
    one = case.run()
    case.wait_answered_by(one)

    case.podman.stop()
    case.podman.do("stop", one)  # nobody is told
    case.podman.start()

    case.wait_states()
    case.podman.do("start", one)
    case.wait_answered_by(one)
