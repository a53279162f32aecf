"""Overrides as keys: who may trust one for how long, and what one may not do under its key."""

import pytest

from catalog.entries import Entry
from catalog.keys import EVERY_SERVICE, OverrideKey, key_of
from catalog.overrides.override import Override, encode
from catalog.overrides.standing import Standing, standing_of, standings_of

INSTANCE = "77de12f4aa01:8000"
WEB = OverrideKey("web", "x")


def standing(override: Override, key: OverrideKey = WEB, lease: int = 0) -> Standing:
    entry = Entry(key_of("/services", key), encode(override), 3, 4, lease)
    return standing_of(key, entry)


def test_one_that_cannot_be_read_says_why_and_costs_no_other() -> None:
    good = Override(by="anna", instance=INSTANCE, weight=5)
    entries = [
        Entry("/services/v1/overrides/web/bad", b"{", 1, 1, 0),
        Entry("/services/v1/overrides/web/x", encode(good), 2, 2, 0),
        Entry("/services/v1/overrides/WEB/x", encode(good), 3, 3, 0),
    ]

    found = standings_of("/services", entries)

    assert found[WEB] == Standing(good, "", 2, leased=False)
    assert found[OverrideKey("web", "bad")].override is None
    assert "not JSON" in found[OverrideKey("web", "bad")].why_not
    assert len(found) == 2


@pytest.mark.parametrize(
    ("override", "lease", "is_vouched"),
    [
        (Override(by="a", instance=INSTANCE, weight=5), 0, False),
        (Override(by="a", instance=INSTANCE, weight=5), 7, True),
        (Override(by="a", instance=INSTANCE, weight=5, until_s=9), 7, False),
        (Override(by="a", to="192.0.2.7:1", until_s=9), 7, True),
        (Override(by="a", to="192.0.2.7:1", until_s=9), 0, False),
    ],
)
def test_what_leads_elsewhere_needs_its_lease(
    override: Override, lease: int, is_vouched: bool
) -> None:
    assert standing(override, lease=lease).is_vouched is is_vouched


def test_calls_are_led_elsewhere_for_a_while_only() -> None:
    found = standing(Override(by="a", to="192.0.2.7:1"))
    assert (found.override, found.why_not) == (None, "to: it has neither a lease nor an end")


@pytest.mark.parametrize(
    "override",
    [
        Override(by="a", host="h1", weight=5),
        Override(by="a", instance=INSTANCE, state="draining"),
        Override(by="a", to="192.0.2.7:1", until_s=9),
    ],
)
def test_of_every_service_only_a_host_is_drained(override: Override) -> None:
    every = OverrideKey(EVERY_SERVICE, "x")
    assert "every service" in standing(override, every).why_not
    assert not standing(Override(by="a", host="h1", state="draining"), every).why_not
