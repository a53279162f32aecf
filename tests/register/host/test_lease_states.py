"""Which state a host's keys and a command ask for while no lease is held."""

import pytest

from register.host.lease_states import (
    Acquiring,
    Drained,
    Draining,
    NotHolding,
    Undraining,
    Waiting,
    next_state,
)
from register.host.owner import FoundOwner
from register.records.host_state import Command

MARK = "HOST_DRAINED: since noon"
OVER = FoundOwner(is_over=True)
ALIVE = FoundOwner(is_over=False, why="another registrar runs for this host")


@pytest.mark.parametrize(
    ("command", "drained", "owner", "expected"),
    [
        (None, None, None, Acquiring()),
        (None, None, OVER, Acquiring()),
        (None, None, ALIVE, Waiting(ALIVE.why)),
        (None, MARK, None, Drained(MARK)),
        (None, MARK, ALIVE, Drained(MARK)),
        (None, MARK, OVER, Draining()),  # a drain that did not come to its end
        ("drain", None, ALIVE, Draining()),
        ("drain", MARK, None, Draining()),
        ("undrain", MARK, OVER, Undraining()),
    ],
)
def test_what_the_keys_and_a_command_ask_for(
    command: Command | None, drained: str | None, owner: FoundOwner | None, expected: NotHolding
) -> None:
    assert next_state(False, command, drained, owner) == expected


@pytest.mark.parametrize(
    ("drained", "owner"), [(None, None), (None, ALIVE), (MARK, None), (MARK, OVER)]
)
def test_a_lost_lease_is_remembered_until_the_host_is_acquired(
    drained: str | None, owner: FoundOwner | None
) -> None:
    assert next_state(True, None, drained, owner).lost
