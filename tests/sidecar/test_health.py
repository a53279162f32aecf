"""The small port of a sidecar: who has it, and who has it next."""

import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sidecar.health import Health, server
from sidecar.metrics import Metrics
from sidecar.options import WrongSettings
from tests.parts.wait import wait_for


@contextmanager
def answering(address: tuple[str, int], name: str, place: Path) -> Iterator[None]:
    health = Health(stuck_after_s=60)
    actor = server(address, health, Metrics(), lambda: name, place=place)
    thread = threading.Thread(target=actor.run, name=name)
    thread.start()
    try:
        yield
    finally:
        actor.interrupt()
        thread.join(5)
        assert not thread.is_alive()


def asked(where: str) -> str:
    with urllib.request.urlopen(f"http://{where}/explain", timeout=5) as reply:
        text: str = reply.read().decode().strip()
        return text


@pytest.fixture(params=["127.0.0.1", "::1"])
def address(request: pytest.FixtureRequest) -> tuple[str, int]:
    with socket.socket(socket.AF_INET6 if ":" in request.param else socket.AF_INET) as probe:
        probe.bind((request.param, 0))
        return request.param, probe.getsockname()[1]


def test_a_second_one_answers_elsewhere_and_moves_when_the_first_leaves(tmp_path, address):
    place = tmp_path / "metrics"
    home = "{}:{}".format(f"[{address[0]}]" if ":" in address[0] else address[0], address[1])
    with answering(address, "first", tmp_path / "unused"):
        second = answering(address, "second", place)
        second.__enter__()
        away = place.read_text().strip()

        assert asked(home) == '"first"'
        assert asked(away) == '"second"'

    wait_for(lambda: asked(home) == '"second"', 3, "the second has moved")
    assert place.read_text() == f"{home}\n"
    second.__exit__(None, None, None)


def test_an_address_that_is_not_ours_is_a_wrong_setting(tmp_path):
    with pytest.raises(WrongSettings, match=r"METRICS: 192\.0\.2\.1:9302"):
        server(("192.0.2.1", 9302), Health(stuck_after_s=60), Metrics(), str, place=tmp_path / "metrics")
