"""The door to Docker on the real engine: lists, inspects, events; and on engines that answer
nonsense.
"""

import gc
import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from catalog.errors import Unavailable
from discover.haproxy.ports import bridge_gateway
from register.docker.container import Bridges
from register.docker.event_reader import EventReader
from register.docker.event_stream import EventStream
from register.docker.hints import DockerEvent, Hints
from register.docker.source import ContainerList, DockerSource
from sidecar.status.health import Health
from tests.parts.docker_proxy import docker_proxy
from tests.parts.engine import Container, Engine, docker
from tests.parts.scripted_engine import Answers, answers_with, scripted_engine
from tests.parts.scripted_engine import inspected as inspected_by_number
from tests.parts.wait import wait_for

IMAGE = "debian:trixie-slim"
LOCAL = "unix:///var/run/docker.sock"
SLEEP = ("perl", "-e", "$SIG{TERM} = sub { exit 0 }; sleep 600")


@pytest.fixture
def source() -> Iterator[DockerSource]:
    opened = DockerSource(LOCAL, {})
    yield opened
    opened.close()


def run(engine: Engine, *flags: str) -> Container:
    name = engine.name(f"reg-{time.monotonic_ns()}")
    ours = ("--name", name, "--label", engine.label)
    return Container(docker("run", "-d", *ours, *flags, IMAGE, *SLEEP), name)


def names(seen: ContainerList) -> set[str]:
    return {container.name for container in seen.containers}


def test_a_container_is_listed_until_it_ends(engine: Engine, source: DockerSource) -> None:
    one = run(engine, "-P", "--expose", "8000")

    seen = source.containers(Hints(), everything=False)
    one.do("pause")
    paused = source.containers(Hints(), everything=False)
    one.do("unpause")
    one.do("rm", "-f")
    gone = source.containers(Hints(), everything=False)

    assert next(c for c in seen.containers if c.id == one.id).bindings
    assert next(c for c in paused.containers if c.id == one.id).paused
    assert one.name in names(seen)
    assert one.name not in names(gone)


def test_a_change_that_the_list_shows_is_inspected_without_an_event(
    engine: Engine, source: DockerSource
) -> None:
    one = run(engine)
    source.containers(Hints(), everything=False)

    docker("rename", one.id, one.name + "x")

    assert one.name + "x" in names(source.containers(Hints(), everything=False))


def test_what_started_is_known_before_the_next_list(engine: Engine, source: DockerSource) -> None:
    source.containers(Hints(), everything=False)
    one = run(engine, "-P", "--expose", "8000")

    early = source.with_started([one.id], Hints().after(DockerEvent(one.id, "start", "", 1)))
    listed = source.containers(Hints(), everything=False)

    assert early is not None
    assert [c for c in early.containers if c.id == one.id] == [
        c for c in listed.containers if c.id == one.id
    ]


def test_only_what_changed_is_inspected(engine: Engine) -> None:
    one = run(engine)
    with docker_proxy() as proxy:
        source = DockerSource(proxy.docker_host, {})
        source.containers(Hints(), everything=False)
        before = len(proxy.requests)

        source.containers(Hints(), everything=False)
        unchanged = proxy.requests[before:]
        source.containers(Hints().after(DockerEvent(one.id, "update", "", 1)), everything=False)
        named = proxy.requests[before + len(unchanged) :]
        source.close()

    assert [_path(line) for line in unchanged] == ["/containers/json"]
    assert [_path(line) for line in named] == ["/containers/json", f"/containers/{one.id}/json"]
    assert all(line.startswith("GET ") for line in proxy.requests)


def _path(request: str) -> str:
    return request.split()[1].partition("?")[0].removeprefix("/v1.41")


def test_who_runs_and_who_the_engine_is(engine: Engine, source: DockerSource) -> None:
    one = run(engine)

    assert source.is_running(one.id)
    assert not source.is_running("0" * 64)
    assert source.engine().id


class Collected:
    """What a stream told, read in a thread of its own."""

    def __init__(self, stream: EventStream) -> None:
        self.events: list[DockerEvent] = []
        self.stream = stream
        self._thread = threading.Thread(target=self._read, name="events")

    def __enter__(self) -> "Collected":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        self._thread.join(5)
        assert self.ended, "closing does not end the iteration"

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def _read(self) -> None:
        for event in self.stream:
            self.events.append(event)

    def of(self, container: Container) -> list[tuple[str, str]]:
        return [
            (event.action, event.signal) for event in self.events if event.container == container.id
        ]


def test_events_of_a_containers_life(engine: Engine, source: DockerSource) -> None:
    with Collected(source.events(time.time_ns())) as collected:
        one = run(engine, "--health-cmd", "true", "--health-interval", "1s")
        wait_for(lambda: ("health_status", "") in collected.of(one), 15, "health_status is told")
        docker("rename", one.id, one.name + "y")
        one.do("kill", "-s", "HUP")
        one.do("stop", "-t", "5")
        wait_for(lambda: ("stop", "") in collected.of(one), 15, "its end is told")

    told = collected.of(one)
    assert told[:2] == [("connect", ""), ("start", "")]
    assert [pair for pair in told if pair[0] in ("rename", "kill")] == [
        ("rename", ""),
        ("kill", "1"),
        ("kill", "15"),
    ]
    assert ("die", "") in told
    assert not [action for action, _ in told if action.startswith("exec")]


def test_events_since_a_time_before(engine: Engine, source: DockerSource) -> None:
    began = time.time_ns()
    one = run(engine)
    one.do("stop", "-t", "5")

    with Collected(source.events(began)) as collected:
        wait_for(lambda: ("die", "") in collected.of(one), 10, "what was before is told")

    assert ("kill", "15") in collected.of(one)


def test_closing_a_stream_twice_is_harmless(source: DockerSource) -> None:
    with Collected(source.events(time.time_ns())) as collected:
        collected.stream.close()

    collected.stream.close()
    assert collected.ended


def test_the_reader_goes_on_after_every_cut(engine: Engine) -> None:
    fired: list[str] = []
    with docker_proxy() as proxy:
        reader = EventReader(
            DockerSource(proxy.docker_host, {}), Health(stuck_after_s=60), fired.append
        )
        thread = threading.Thread(target=reader.run, name="events")
        thread.start()
        wait_for(lambda: fired.count("subscribed") == 1, 10, "subscribed")

        proxy.cut()
        one = run(engine)  # maybe while nobody listens
        wait_for(lambda: fired.count("subscribed") >= 2, 10, "subscribed again")

        wait_for(
            lambda: reader.hints.of(one.id).changes >= 2, 10, "what happened in between is told"
        )
        reader.interrupt()
        thread.join(5)
        assert not thread.is_alive()


LIST = "/containers/json"
ROW = json.dumps([{"Id": "a" * 64}]).encode()


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"[{"),
        (200, b"{}"),
        (200, b"[1]"),
        (200, b'[{"Id": 1}]'),
        (500, b"oops"),
        (403, b"no"),
        (403, b'{"error": "no"}'),
        (404, b"what"),
    ],
    ids=["half", "object", "number", "no id", "error", "refused", "no message", "unknown"],
)
def test_an_odd_answer_is_no_list(answer: tuple[int, bytes]) -> None:
    with scripted_engine({LIST: answer}) as docker_host:
        source = DockerSource(docker_host, {})

        with pytest.raises(Unavailable, match=r"\A[^\n]+\Z"):
            source.containers(Hints(), everything=False)

        source.close()


def test_one_container_that_cannot_be_understood_is_refused_alone() -> None:
    with scripted_engine(
        {LIST: (200, ROW), f"/containers/{'a' * 64}/json": (200, b'{"Id": 7}')}
    ) as docker_host:
        source = DockerSource(docker_host, {})

        seen = source.containers(Hints(), everything=False)

        assert seen.containers == ()
        assert [problem.code for problem in seen.refused.values()] == ["UNREADABLE"]
        source.close()


@pytest.mark.parametrize("odd", ["1", '{"Id": 7}', '{"Id": "../../etc"}', "null"])
def test_one_odd_row_of_a_list_costs_itself_alone(odd: str) -> None:
    one, two = inspected_by_number(1), inspected_by_number(2)
    answers = answers_with([one, two])
    with scripted_engine(answers) as docker_host:
        source = DockerSource(docker_host, {})
        before = source.containers(Hints(), everything=False)

        answers[LIST] = (200, f'[{{"Id": "{one["Id"]}"}}, {odd}]'.encode())
        seen = source.containers(Hints(), everything=False)
        answers[LIST] = (200, f'[{{"Id": "{one["Id"]}"}}]'.encode())
        after = source.containers(Hints(), everything=False)
        source.close()

    # the odd row may be that of the other one: nothing counts as gone
    assert names(seen) == names(before) == {"scripted-1", "scripted-2"}
    assert [problem.code for problem in seen.refused.values()] == ["UNREADABLE"]
    assert names(after) == {"scripted-1"}


@pytest.mark.parametrize("answer", [(500, b"driver failed"), (200, b'{"Id": "')])
def test_an_inspect_that_fails_again_costs_its_container_alone(answer: tuple[int, bytes]) -> None:
    many = [inspected_by_number(number) for number in range(1, 7)]
    paths = [f"/containers/{one['Id']}/json" for one in many]
    answers = answers_with(many)
    good = dict(answers)
    answers[paths[0]] = answer
    with scripted_engine(answers) as docker_host:
        source = DockerSource(docker_host, {})

        with pytest.raises(Unavailable):  # once, it may be the engine
            source.containers(Hints(), everything=False)
        seen = source.containers(Hints(), everything=False)
        again = source.containers(Hints(), everything=False)

        assert names(seen) == {f"scripted-{number}" for number in range(2, 7)}
        assert list(seen.refused) == list(again.refused) == [str(many[0]["Id"])[:12]]

        answers |= good
        mended = source.containers(Hints(), everything=True)
        assert len(mended.containers) == 6
        assert not mended.refused

        answers |= dict.fromkeys(paths, answer)  # all: the engine has failed, and nothing is known
        for _ in range(2 * len(many)):
            with pytest.raises(Unavailable):
                source.containers(Hints(), everything=True)
        source.close()


def test_a_round_says_that_it_goes_on_after_each_inspect() -> None:
    ids = [letter * 64 for letter in "abc"]
    answers = {f"/containers/{each}/json": (200, inspected(each)) for each in ids}
    answers[LIST] = (200, json.dumps([{"Id": each} for each in ids]).encode())
    turns: list[int] = []
    with scripted_engine(answers) as docker_host:
        source = DockerSource(docker_host, {})

        source.containers(Hints(), everything=False, turned=lambda: turns.append(1))
        first = len(turns)
        source.containers(Hints(), everything=False, turned=lambda: turns.append(1))

        assert (first, len(turns)) == (3, 3)
        source.close()


def inspected(id_: str) -> bytes:
    return json.dumps({"Id": id_, "State": {"StartedAt": "2026-01-01T00:00:00Z"}}).encode()


def test_a_list_alone_tells_whose_addresses_are_whose(engine: Engine, source: DockerSource) -> None:
    one = run(engine)

    found = next(each for each in source.neighbours() if each.name == one.name)

    seen = source.containers(Hints(), everything=False).containers
    assert found.addresses
    assert found.addresses == next(each.addresses for each in seen if each.id == one.id)


def test_an_odd_row_of_a_list_keeps_no_other_out() -> None:
    rows = [{"Id": "a" * 64, "NetworkSettings": 7}, {"Id": "b" * 64, "Names": ["/fine"]}]
    with scripted_engine({LIST: (200, json.dumps(rows).encode())}) as docker_host:
        source = DockerSource(docker_host, {})

        assert [each.name for each in source.neighbours()] == ["a" * 12, "fine"]
        source.close()


def test_a_container_that_vanishes_between_list_and_inspect_is_none() -> None:
    with scripted_engine({LIST: (200, ROW)}) as docker_host:
        source = DockerSource(docker_host, {})

        assert source.containers(Hints(), everything=False) == ContainerList((), {})
        source.close()


NETWORKS = b'[{"Driver": "bridge", "IPAM": {"Config": [{"Subnet": "172.17.0.0/16"}]}}]'


@pytest.mark.parametrize(
    ("host_ip", "answer", "bridges"),
    [
        ("0.0.0.0", (200, NETWORKS), ()),  # nobody asked
        ("172.17.0.1", (200, NETWORKS), (ip_network("172.17.0.0/16"),)),
        ("172.17.0.1", (403, b"forbidden"), None),
    ],
)
def test_the_bridges_are_looked_up_for_a_port_at_one_address(
    host_ip: str, answer: tuple[int, bytes], bridges: Bridges
) -> None:
    one = inspected_by_number(1)
    one["NetworkSettings"] = {"Ports": {"80/tcp": [{"HostIp": host_ip, "HostPort": "8080"}]}}
    answers = answers_with([one]) | {"/networks": answer}
    with scripted_engine(answers) as docker_host:
        source = DockerSource(docker_host, {})

        first = source.containers(Hints(), everything=False).bridges
        answers["/networks"] = (500, b"asked again")
        again = source.containers(Hints(), everything=False).bridges

        assert (first, again) == (bridges, bridges)
        source.close()


@pytest.mark.parametrize(
    ("first", "bridges"),
    [((200, NETWORKS), (ip_network("172.17.0.0/16"),)), ((500, b"broken"), None)],
)
def test_an_engine_that_fails_to_list_networks_keeps_no_container_out(
    first: tuple[int, bytes], bridges: Bridges
) -> None:
    def at(host_ip: str) -> Answers:
        one = inspected_by_number(1)
        one["NetworkSettings"] = {"Ports": {"80/tcp": [{"HostIp": host_ip, "HostPort": "8080"}]}}
        return answers_with([one])

    answers = at("192.0.2.9") | {"/networks": first}
    with scripted_engine(answers) as docker_host:
        source = DockerSource(docker_host, {})
        with suppress(Unavailable):
            source.containers(Hints(), everything=False)
        answers |= at("192.0.2.10") | {"/networks": (500, b"broken")}

        for _ in range(2):
            with suppress(Unavailable):
                source.containers(Hints(), everything=True)
        seen = source.containers(Hints(), everything=True)

        assert (names(seen), seen.bridges) == ({"scripted-1"}, bridges)
        source.close()


def test_an_address_on_a_bridge_is_known_as_such(engine: Engine, source: DockerSource) -> None:
    gateway = bridge_gateway()
    assert gateway, "the engine has its default bridge"
    run(engine, "-p", f"{gateway}::8000")

    bridges = source.containers(Hints(), everything=False).bridges or ()

    assert any(ip_address(gateway) in subnet for subnet in bridges)


def test_an_engine_that_refuses_to_say_who_it_is_works() -> None:
    with scripted_engine({"/info": (403, b"forbidden")}) as docker_host:
        source = DockerSource(docker_host, {})

        assert source.engine().id is None
        source.close()


# docker 7.2: a unix socket that cannot be connected is left for the garbage collector to close.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_missing_socket_says_what_would_help(tmp_path: Path) -> None:
    source = DockerSource(f"unix://{tmp_path}/docker.sock", {})

    with pytest.raises(Unavailable) as caught:
        source.containers(Hints(), everything=False)

    assert f"unix://{tmp_path}/docker.sock: the socket does not exist: mount it with" in str(
        caught.value
    )
    del caught
    gc.collect()


def test_when_a_start_was_first_listed_is_remembered() -> None:
    first, second = inspected_by_number(1), inspected_by_number(2)
    answers = answers_with([first])
    with scripted_engine(answers) as docker_host:
        source = DockerSource(docker_host, {})
        (there,) = source.containers(Hints(), everything=True).containers
        answers.update(answers_with([first, second]))
        (still, new) = source.containers(Hints(), everything=True).containers
        first["State"] = {"Running": True, "StartedAt": "2025-01-01T00:00:00Z"}
        answers.update(answers_with([first, second]))
        (again, _) = source.containers(Hints(), everything=True).containers
        source.close()

    assert still == there
    assert there.was_there
    assert there.seen_s < new.seen_s < again.seen_s
    assert not new.was_there
    assert not again.was_there
