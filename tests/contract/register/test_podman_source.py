"""Lists, inspects and events of an engine that answers as Podman 4.3 did."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from catalog.errors import Unavailable
from register.docker.event_reader import EventReader
from register.docker.hints import DockerEvent, Hints
from register.docker.source import DockerSource, Engine
from sidecar.status.health import Health
from tests.parts.containers import DATA
from tests.parts.scripted_engine import LIST, Answers, scripted_engine

PODMAN = DATA / "podman"
VERSION = b'{"ApiVersion":"1.41","MinAPIVersion":"1.24","Components":[{"Name":"Podman Engine"}]}'
KINDS = ("published", "paused", "stopping")


@contextmanager
def podman(answers: Answers) -> Iterator[DockerSource]:
    with scripted_engine({"/version": (200, VERSION), **answers}) as docker_host:
        source = DockerSource(docker_host, {})
        yield source
        source.close()


def listed() -> Answers:
    """Return the list of all containers, and what an inspect of each says."""
    rows: list[dict[str, str]] = [{"Id": "e" * 64, "State": "exited"}]
    answers: Answers = {}
    for kind in KINDS:
        document = (PODMAN / f"{kind}.json").read_bytes()
        state = json.loads(document)
        answers[f"/containers/{state['Id']}/json"] = (200, document)
        rows.append({"Id": state["Id"], "State": state["State"]["Status"]})
    return answers | {LIST: (200, json.dumps(rows).encode())}


def test_paused_and_stopping_containers_are_in_the_list_and_ended_ones_are_not() -> None:
    with podman(listed()) as source:
        containers = source.containers(Hints(), everything=False).containers

        assert [(c.paused, c.stopping) for c in containers] == [
            (True, False),
            (False, False),
            (False, True),
        ]
        assert len(source.neighbours()) == len(KINDS)


def test_one_that_is_being_stopped_runs_still() -> None:
    with podman(listed()) as source:
        stopping = json.loads((PODMAN / "stopping.json").read_text())["Id"]

        assert source.is_running(stopping)
        assert not source.is_running("0" * 64)


def test_its_id_is_another_one_at_every_question_and_so_is_none() -> None:
    with podman({"/info": (200, b'{"ID": "243de4b3-227a", "Name": "vm"}')}) as source:
        assert source.engine() == Engine(None, "vm")


def test_its_events_in_dockers_words() -> None:
    events = (PODMAN / "events.ndjson").read_bytes()
    with podman({"/events": (200, events)}) as source:
        told = list(source.events(0))

    life = [(each.action, each.signal) for each in told if each.container.startswith("5e8491")]
    assert life[2:9] == [
        ("start", ""),
        ("pause", ""),
        ("unpause", ""),
        ("kill", "KILL"),
        ("die", ""),
        ("stop", ""),
        ("init", ""),
    ]
    assert life[-1] == ("destroy", "")
    healths = [(each.container[:6], each.action, each.health) for each in told if each.health]
    assert healths == [
        ("9c58e8", "health_status", "starting"),  # of before the check
        ("9c58e8", "exec_died", "healthy"),
        ("bc9939", "health_status", "starting"),
        ("bc9939", "exec_died", "unhealthy"),
    ]
    networks = [each.container[:6] for each in told if each.action in ("connect", "disconnect")]
    assert networks == ["5b8973", "5b8973"]


def test_a_health_that_stays_wakes_nobody() -> None:
    health = (
        b'{"Type":"container","Action":"health_status","Actor":{"ID":"a","Attributes":'
        b'{"health_status":"%s"}},"timeNano":%d}\n'
    )
    told = b"".join(
        health % (text, at) for at, text in enumerate([b"healthy"] * 3 + [b"unhealthy"])
    )
    fired: list[str] = []
    with podman({"/events": (200, told)}) as source:
        reader = EventReader(source, Health(stuck_after_s=60), fired.append)
        reader._session()

    assert fired == ["subscribed", "health_status", "health_status"]
    assert reader.hints.of("a").health == "unhealthy"


def test_docker_is_asked_for_those_that_run_alone() -> None:
    rows = json.dumps([{"Id": "a" * 64, "State": "odd"}]).encode()
    with scripted_engine({LIST: (200, rows)}) as docker_host:
        source = DockerSource(docker_host, {})

        assert len(source.neighbours()) == 1
        source.close()


class Ponging(BaseHTTPRequestHandler):
    """Podman, as far as a ping and an empty list; it fails whoever asks for /version."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(500 if "/version" in self.path else 200)
        self.send_header("API-Version", "1.41")
        self.send_header("Libpod-API-Version", "4.3.1")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_ping_tells_that_it_is_podman_and_spares_the_slow_version() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Ponging) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="ponging")
        thread.start()
        source = DockerSource(f"tcp://127.0.0.1:{server.server_address[1]}", {})

        assert source.neighbours() == ()

        source.close()
        server.shutdown()
        thread.join(5)
    assert Ponging.asked[0] == "/_ping"
    assert Ponging.asked[1].startswith("/v1.41/containers/json")
    assert "all=1" in Ponging.asked[1]


def test_a_version_that_is_no_object_is_no_engine() -> None:
    with (
        scripted_engine({"/version": (200, b"[]")}) as docker_host,
        pytest.raises(Unavailable),
    ):
        DockerSource(docker_host, {}).neighbours()


def test_an_event_of_docker_keeps_its_name() -> None:
    restart = b'{"Type":"container","Action":"restart","Actor":{"ID":"a"},"timeNano":1}\n'
    with scripted_engine({"/events": (200, restart)}) as docker_host:
        told = list(DockerSource(docker_host, {}).events(0))

    assert told == [DockerEvent("a", "restart", "", 1)]
