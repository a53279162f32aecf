"""What can be waited for is read strictly, and written as it was read."""

import pytest

from catalog.asking.goal import KINDS, Goal, goal_of
from catalog.errors import Rejected


def test_goals_are_read() -> None:
    assert goal_of("ready=3") == Goal("ready", 3)
    assert goal_of("gone") == Goal("gone", 1)
    assert goal_of("revision") == Goal("revision", 0)


@pytest.mark.parametrize(
    "text", ["", "ready=0", "stub=2", "up", "ready=x", "revision=-1", "ready="]
)
def test_wrong_goals_are_refused(text: str) -> None:
    with pytest.raises(Rejected, match="none of ready"):
        goal_of(text)


@pytest.mark.parametrize("text", [*(it for it in KINDS if it != "revision"), "ready=12"])
def test_what_is_written_is_read_again(text: str) -> None:
    assert goal_of(str(goal_of(text))) == goal_of(text)
