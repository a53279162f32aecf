"""What was listened on, over a restart."""

import pytest

from catalog.errors import Rejected
from discover.listened import ListenedFile, listeners_of, text_of
from discover.sample import sample
from tests.discover.test_build import POLICY


def test_every_form_of_listener_comes_back_without_its_servers():
    listeners = sample(POLICY.process).listeners

    found = listeners_of(text_of(listeners))

    assert [item.name for item in found] == [item.name for item in listeners]
    assert text_of(found) == text_of(listeners)
    assert all(item.servers == () for item in found)


@pytest.mark.parametrize("text", ["", "{", "7", "[7]", "[{}]", '[{"binds": []}]', "[" * 100_000])
def test_what_is_no_list_of_listeners_is_as_good_as_none(tmp_path, text, caplog):
    with pytest.raises(Rejected):
        listeners_of(text)
    (tmp_path / "listeners").write_text(text)

    assert ListenedFile(tmp_path / "listeners").load() == ()
    assert "not known any more" in caplog.text


def test_no_file_is_no_listener(tmp_path):
    assert ListenedFile(tmp_path / "listeners").load() == ()
