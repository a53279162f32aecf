"""Versions of a fleet: what differs from the newest comes first, and says how."""

from catalog.asking.presence import Presence
from catalog.asking.refusals import Refusals
from ctl.fleet import Fleet
from ctl.view.versions import version_rows


def proxy(version: str, haproxy: str) -> Presence:
    return Presence(version=version, haproxy=haproxy)


def test_what_is_behind_comes_first() -> None:
    fleet = Fleet(
        {
            "a": proxy("0.10.0", "3.0.5"),
            "b": proxy("0.9.0", "3.0.5"),
            "c": proxy("0.10.0", "2.8.1"),
        },
        frozenset({"a", "b", "c", "d"}),
        {host: Refusals(version="0.10.0") for host in "abc"},
    )
    rows = version_rows(fleet)
    assert [(it["host"], it["note"]) for it in rows] == [
        ("b", "docker-discover not 0.10.0"),
        ("c", "HAProxy not 3.0.5"),
        ("d", "docker-register not 0.10.0; no docker-discover says that it is there"),
        ("a", ""),
    ]
    assert rows[2]["register"] == "older"


def test_nobody_and_strange_versions_are_no_error() -> None:
    assert version_rows(Fleet()) == []
    (row,) = version_rows(Fleet({"a": proxy("", "")}, frozenset({"a"})))
    assert (row["discover"], row["haproxy"]) == ("older", None)
