"""How the texts of labels are read: durations as Go has them, booleans in any common spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import Rejected
from catalog.records.record import TYPES
from catalog.values.rules import DURATION_MS_MAX
from catalog.values.value_types import Duration, Flag

SPELLED_MS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


@pytest.mark.parametrize(
    ("text", "value_ms"),
    [
        ("500ms", 500),
        ("2s", 2000),
        ("1m", 60_000),
        ("1m30s", 90_000),
        ("1.5s", 1500),
        ("1h0m0s", 3_600_000),
        ("0h1m0.25s", 60_250),
        (".5m", 30_000),
        ("2.s", 2000),
        ("30s1m", 90_000),
        ("250000us", 250),
        ("250000µs", 250),
        ("250000μs", 250),
        ("250000000ns", 250),
        ("1.0009s", 1000),
        ("0.1s", 100),
        ("24h", DURATION_MS_MAX),
    ],
)
def test_durations_are_read_as_go_reads_them(text: str, value_ms: int) -> None:
    assert Duration(100).from_label(text) == value_ms


@pytest.mark.parametrize(
    "text",
    [
        *("5", "0", "0s", "-5s", "+5s", "1s-5s", "99ms", "2us", "24h1ms", "1d", "1w", "2S"),
        *("1 m", "1m 30s", "s", ".s", "1..5s", "1,5s", "1e3s", "٣s", "", "1m30", "9" * 400 + "s"),
        "1s" * 400,
    ],
)
def test_any_other_duration_is_refused_with_what_would_be_right(text: str) -> None:
    right = "is not a duration such as 500ms, 2s or 1m, from 100ms to 24h"

    with pytest.raises(Rejected, match=right):
        Duration(100).from_label(text)


@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from(list(SPELLED_MS))), max_size=4))
def test_the_parts_of_a_duration_are_added(parts: list[tuple[int, str]]) -> None:
    text = "1s" + "".join(f"{count}{unit}" for count, unit in parts)
    total_ms = 1000 + sum(count * SPELLED_MS[unit] for count, unit in parts)

    if total_ms <= DURATION_MS_MAX:
        assert Duration(100).from_label(text) == pytest.approx(total_ms, abs=1)
    else:
        with pytest.raises(Rejected):
            Duration(100).from_label(text)


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "t", "1", "yes", "Y", "on", " true "])
def test_what_means_true(text: str) -> None:
    assert Flag().from_label(text) is True
    assert TYPES["panic"].from_label(text) == "on"


@pytest.mark.parametrize("text", ["false", "False", "f", "0", "no", "N", "off", "OFF"])
def test_what_means_false(text: str) -> None:
    assert Flag().from_label(text) is False
    assert TYPES["panic"].from_label(text) == "off"
