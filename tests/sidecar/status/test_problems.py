"""Problems are logged when they begin and end, and can be asked for meanwhile."""

import logging

import pytest

from sidecar.status.problems import Problem, Problems


def test_a_problem_is_said_when_it_begins_and_when_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
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


def test_a_quiet_problem_is_told_only_when_asked(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    problems = Problems()

    problems.update({"web-1": Problem("STARTING", "not healthy yet", quiet=True)})

    assert caplog.records == []
    assert problems.current["web-1"].code == "STARTING"
