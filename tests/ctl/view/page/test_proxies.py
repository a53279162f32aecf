"""What the page of a service says of each docker-discover."""

from typing import Any

import pytest

from ctl.view.page.proxies import new_within


@pytest.mark.parametrize(
    ("starts", "said"),
    [
        ({"own": {"p90_ms": 40}, "other": {"p90_ms": 55}}, "40 ms own, 55 ms other"),
        ({"other": {"p90_ms": 55}}, "55 ms other"),
        ({}, None),
        (None, None),
        ({"own": 3}, None),
    ],
    ids=str,
)
def test_how_fast_new_containers_come_is_quoted(starts: Any, said: str | None) -> None:
    assert new_within({"start_to_applied": starts}) == said
