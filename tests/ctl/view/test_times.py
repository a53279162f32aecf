"""Times as people write and read them."""

import pytest

from catalog.errors import Rejected
from ctl.view.times import ago, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2m", 120), ("500ms", 0.5), ("60", 60), ("1h30m", 5400), ("2d", 172800), ("0s", 0)],
)
def test_times_are_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1s", "1w", "5 m", "1.s", "9999999", "900000d"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Rejected, match="is not a time such as 60s"):
        seconds_of(text)


def test_how_long_ago_it_was() -> None:
    assert [ago(it) for it in (-3, 12.7, 119, 120, 7200, 400_000)] == [
        "0s", "12s", "119s", "2m", "2h", "4d",
    ]  # fmt: skip
