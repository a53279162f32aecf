"""What one life leaves the next: whole, or logged once and unknown."""

import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Never

import pytest

from catalog.errors import Rejected
from sidecar.atomic_files import StateFile


def state_file(path: Path, decode: Callable[[bytes], Any] = json.loads) -> StateFile[Any]:
    return StateFile(
        path,
        json.dumps,
        decode,
        unknown="lost the ages: %s: %s",
        unkept="cannot save the ages",
        kept_again="ages are kept again",
    )


def rejecting(content: bytes) -> Never:
    raise Rejected("is of another version")


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    assert state_file(tmp_path / "ages").save({"a": 1})

    assert state_file(tmp_path / "ages").load() == {"a": 1}


def test_no_file_is_nothing_and_no_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert state_file(tmp_path / "ages").load() is None
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("decode", "reason"),
    [
        (json.loads, "JSONDecodeError"),
        (rejecting, "is of another version"),
        (lambda content: dict[str, int]()["missing"], "KeyError"),
        (lambda content: content.nothing, "AttributeError"),
    ],
)
def test_what_cannot_be_read_is_unknown_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, decode: Callable[[bytes], Any], reason: str
) -> None:
    path = tmp_path / "ages"
    path.write_text("{")

    assert state_file(path, decode).load() is None

    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"lost the ages: {path}: ")
    assert reason in line


def test_a_folder_in_its_place_is_unknown_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert state_file(tmp_path).load() is None
    assert "cannot be read: Is a directory" in caplog.text


def test_a_failed_save_keeps_the_old_file_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ages = state_file(tmp_path / "ages")
    ages.save(1)
    (tmp_path / "ages.new").mkdir()  # in the way of the next text

    assert not ages.save(2)
    assert not ages.save(2)
    assert ages.load() == 1

    (tmp_path / "ages.new").rmdir()
    assert ages.save(2)
    messages = [record.getMessage().partition(":")[0] for record in caplog.records]
    assert messages == ["cannot save the ages", "ages are kept again"]


def test_its_age_is_since_it_was_written_or_touched(tmp_path: Path) -> None:
    ages = state_file(tmp_path / "ages")
    assert ages.age_s() == 0.0
    ages.save(1)

    hour_ago_s = time.time() - 3600
    os.utime(tmp_path / "ages", (hour_ago_s, hour_ago_s))
    assert ages.age_s() == pytest.approx(3600, abs=60)

    ages.touch()
    assert ages.age_s() == pytest.approx(0, abs=60)
