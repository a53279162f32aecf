"""Logs, problems and the health port: facts once, one line each, and to be asked for later."""

import http.client
import json
import logging
import threading

import pytest

from sidecar.health import Health, server
from sidecar.log import Details, setup
from sidecar.metrics import Metrics
from sidecar.problems import Problem, Problems


@pytest.fixture
def no_handlers():
    yield
    logging.basicConfig(force=True, handlers=[logging.NullHandler()])


def test_a_line_is_one_line_whatever_is_in_it(capsys, no_handlers):
    setup("info", "text")

    logging.getLogger("x").info("refused %s", Details(label="a\nb c", port=80, empty=""))

    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith('info    refused label="a\\nb c" port=80 empty=""')


def test_a_message_with_a_newline_is_one_line(capsys, no_handlers):
    setup("info", "text")

    logging.getLogger("x").info("refused: %s", "a\nb")

    assert capsys.readouterr().err.rstrip("\n").endswith("refused: a\\nb")


def test_json_has_every_detail_as_a_field(capsys, no_handlers):
    setup("info", "json")

    logging.getLogger("x").warning("refused %s", Details(label="a\nb", port=80))

    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["label"], line["port"]) == ("warning", "a\nb", "80")


def test_a_problem_is_said_when_it_begins_and_when_it_is_over(caplog):
    caplog.set_level(logging.INFO)
    problems, bad = Problems(), Problem("BAD_LABEL", "weight: 'x' is not a number")

    for _ in range(3):
        problems.update({"web-1": bad})
    problems.update({})
    problems.update({})

    assert [r.getMessage() for r in caplog.records] == [
        "weight: 'x' is not a number where=web-1 code=BAD_LABEL",
        "no longer refused where=web-1 code=BAD_LABEL",
    ]


def test_a_quiet_problem_is_told_only_when_asked(caplog):
    caplog.set_level(logging.INFO)
    problems = Problems()

    problems.update({"web-1": Problem("STARTING", "not healthy yet", quiet=True)})

    assert caplog.records == []
    assert problems.current["web-1"].code == "STARTING"


def ask(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


@pytest.fixture
def site():
    health, metrics = Health(stuck_after_s=60), Metrics()
    actor = server(("127.0.0.1", 0), health, metrics, lambda: {"refused": {}})
    thread = threading.Thread(target=actor.run)
    thread.start()
    yield health, metrics, actor
    actor.interrupt()
    thread.join(10)


def port_of(actor) -> int:
    return actor.run.__self__._listener.server_address[1]


def test_ready_when_all_that_is_expected_is_good(site):
    health, _, actor = site
    port = port_of(actor)
    health.expect("etcd", "docker")
    health.good("docker")
    assert ask(port, "/readyz") == (503, "etcd: not yet\n")

    health.bad("etcd", "connection refused")
    assert ask(port, "/readyz") == (503, "etcd: connection refused\n")

    health.good("etcd")
    assert ask(port, "/readyz") == (200, "ok\n")


def test_a_loop_that_stopped_turning_is_not_healthy():
    health = Health(stuck_after_s=-1)
    assert health.stuck() == {}

    health.turned("publisher")

    assert list(health.stuck()) == ["publisher"]


def test_metrics_and_explanations_can_be_asked_for(site):
    _, metrics, actor = site
    metrics.counter("lists", "Lists of containers").inc()

    assert "tandem_lists_total 1.0" in ask(port_of(actor), "/metrics")[1]
    assert json.loads(ask(port_of(actor), "/explain")[1]) == {"refused": {}}
    assert ask(port_of(actor), "/nowhere")[0] == 404
