"""What was listened on, over a restart."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.errors import Rejected
from discover.apply.listeners_file import ListenersFile, listeners_of, text_of
from discover.model.build import build
from discover.model.empty_services import EmptyServices
from discover.model.proxy_config import ProxyConfig
from discover.text.sample import sample
from tests.parts.configs import AT_DOOR, POLICY, PROCESS
from tests.parts.records import snapshot, web


def test_every_form_of_listener_comes_back_without_its_servers() -> None:
    listeners = sample(POLICY.process).listeners

    found = listeners_of(text_of(listeners))

    assert [item.name for item in found] == [item.name for item in listeners]
    assert text_of(found) == text_of(listeners)
    assert all(item.servers == () for item in found)


@pytest.mark.parametrize("text", ["", "{", "7", "[7]", "[{}]", '[{"binds": []}]', "[" * 100_000])
def test_what_is_no_list_of_listeners_is_as_good_as_none(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Rejected):
        listeners_of(text)
    (tmp_path / "listeners").write_text(text)

    assert ListenersFile(tmp_path / "listeners").load() == ()
    assert "lost the empty services" in caplog.text


def test_since_when_a_service_is_empty_is_known_over_a_restart(tmp_path: Path) -> None:
    [listener] = build(snapshot(web()), AT_DOOR)[0].listeners
    began_s = time.monotonic()
    before = EmptyServices(ListenersFile(tmp_path / "listeners").save_empty)
    before.update(ProxyConfig(PROCESS, (listener,)), ProxyConfig(PROCESS, ()), began_s - 100)

    after = EmptyServices()
    after.recall(
        [replace(listener, servers=())],
        began_s + 50,
        ListenersFile(tmp_path / "listeners").load_empty(),
    )

    found = after.since(listener)
    assert found
    assert found.listener.servers[0].endpoint == "10.0.0.1:32001"
    assert found.since_s == pytest.approx(began_s - 50, abs=5)


@pytest.mark.parametrize("text", ["", "{", "7", "[7]", '[["a", 1, "x", 1, 1]]'])
def test_what_was_empty_is_as_good_as_unknown(tmp_path: Path, text: str) -> None:
    (tmp_path / "listeners.empty").write_text(text)

    assert ListenersFile(tmp_path / "listeners").load_empty() == {}


def test_no_file_is_no_listener(tmp_path: Path) -> None:
    assert ListenersFile(tmp_path / "listeners").load() == ()
