"""Logs: one line a fact, whatever is in it."""

import json
import logging
from collections.abc import Iterator

import pytest

from sidecar.log import Details, setup


@pytest.fixture
def no_handlers() -> Iterator[None]:
    yield
    logging.basicConfig(force=True, handlers=[logging.NullHandler()])


def test_a_line_is_one_line_whatever_is_in_it(
    capsys: pytest.CaptureFixture[str], no_handlers: None
) -> None:
    setup("info", "text")

    logging.getLogger("x").info("refused %s", Details(label="a\nb c", port=80, empty=""))

    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith('info    refused label="a\\nb c" port=80 empty=""')


def test_a_message_with_a_newline_is_one_line(
    capsys: pytest.CaptureFixture[str], no_handlers: None
) -> None:
    setup("info", "text")

    logging.getLogger("x").info("refused: %s", "a\nb")

    assert capsys.readouterr().err.rstrip("\n").endswith("refused: a\\nb")


def test_json_has_every_detail_as_a_field(
    capsys: pytest.CaptureFixture[str], no_handlers: None
) -> None:
    setup("info", "json")

    logging.getLogger("x").warning("refused %s", Details(label="a\nb", port=80))

    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["label"], line["port"]) == ("warning", "a\nb", "80")
