"""Which rows are listed, and in which order."""

from typing import Any

import pytest

from catalog.errors import Rejected
from ctl.view.listing.choice import SORTS, Choice, chosen, states_of


def row(service: str, state: str = "serving", **more: Any) -> dict[str, Any]:
    return {"service": service, "state": state, "hosts": ["a"], **more}


ROWS = [
    row("pets", "stubs", port=81, since_s=5, up=0, zones=["z"]),
    row("orders", port=80, since_s=None, up=2, hosts=["a", "b"]),
    row("shop:80", "refused", hosts=["b"], zones=["y"]),
]


def names(**wanted: Any) -> list[str]:
    return [it["service"] for it in chosen(ROWS, Choice(**wanted))]


def test_what_is_wanted_is_left() -> None:
    assert names() == ["pets", "orders", "shop:80"]
    assert names(names=("p*", "orders")) == ["pets", "orders"]
    assert names(states=("stubs", "refused")) == ["pets", "shop:80"]
    assert names(host="b") == ["orders", "shop:80"]
    assert names(zone="z") == ["pets"]


@pytest.mark.parametrize("sort", SORTS)
def test_what_has_no_value_comes_last(sort: str) -> None:
    found = names(sort=sort)
    assert sorted(found) == ["orders", "pets", "shop:80"]
    assert sort not in ("port", "since", "ready") or found[-1] == "shop:80"


def test_order() -> None:
    assert names(sort="service") == ["orders", "pets", "shop:80"]
    assert names(sort="state") == ["shop:80", "pets", "orders"]
    assert names(sort="ready")[0] == "pets"


def test_states() -> None:
    assert states_of("stubs, nobody,stubs") == ("stubs", "nobody")
    assert "partly" in states_of("problems")
    with pytest.raises(Rejected, match="is none of nobody"):
        states_of("stub")
