"""The folder of answers as it is read: what goes first, what is looked at again."""

from pathlib import Path

import pytest

from stub.answers import choose
from stub.load import Answers

ONE_PATH = """
openapi: 3.0.0
paths:
  /orders:
    get: {responses: {200: {content: {text/plain: {example: api}}}, 404: {}}}
"""


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 0.001  # each look takes so long
        return self.now_s


def bodies(answers: Answers) -> dict[str, bytes]:
    """Return the body of GET for each path."""
    found = {}
    for path in answers.table().paths:
        _, answer = choose(path.answers["GET"])
        if answer and not path.alias:
            found[path.template] = answer.body
    return found


def test_a_file_for_the_same_path_goes_before_an_openapi_document(tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text(ONE_PATH)
    (tmp_path / "orders.txt").write_text("file")

    answers = Answers(tmp_path)

    assert bodies(answers) == {"/orders": b"file"}
    orders = answers.table().paths[0]
    assert [answer.status for answer in orders.answers["GET"]] == [200, 200, 404]


def test_only_edited_files_are_read_again_and_looking_takes_a_twentieth_of_the_time(
    tmp_path: Path,
) -> None:
    clock = Clock()
    (tmp_path / "a.txt").write_text("1")
    (tmp_path / "b.txt").write_text("1")
    answers = Answers(tmp_path, clock)
    assert bodies(answers) == {"/a": b"1", "/b": b"1"}
    (tmp_path / "a.txt").write_text("22")

    assert bodies(answers) == {"/a": b"1", "/b": b"1"}, "it looked just now"
    clock.now_s += 0.02
    table = answers.table()
    assert bodies(answers) == {"/a": b"22", "/b": b"1"}
    clock.now_s += 0.02
    assert answers.table() is table


def test_what_cannot_be_read_is_one_line_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.txt").write_text("1")
    (tmp_path / "gone.txt").symlink_to("nowhere")
    (tmp_path / "b.yaml").write_text("body: &x [*x]")
    (tmp_path / ".hidden.json").write_text("{")
    clock = Clock()
    answers = Answers(tmp_path, clock)

    assert bodies(answers) == {"/a": b"1"}
    (tmp_path / "c.txt").write_text("1")
    clock.now_s += 1
    assert bodies(answers) == {"/a": b"1", "/c": b"1"}

    lines = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert [line.partition(":")[0] for line in lines] == ["b.yaml", "gone.txt"]
    assert lines[1] == "gone.txt: cannot be read: No such file or directory"


def test_a_file_that_is_too_large_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("1")
    monkeypatch.setattr("stub.load.MOST_BYTES", 0)

    answers = Answers(tmp_path)

    assert bodies(answers) == {}
    assert answers.table().problems == ("a.txt: is larger than the limit of 0 MB",)
