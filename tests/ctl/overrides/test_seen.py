"""Who obeys: each host's docker-discover says it, whatever the docker-register beside it says."""

from collections.abc import Iterator
from typing import Any, cast

from catalog.asking.answer import Answer, unknown
from catalog.asking.presence import Presence
from ctl.asking import Asking, Heard
from ctl.fleet import Fleet, Sidecar
from ctl.overrides.seen import Seen, seen_idle, seen_now
from ctl.overrides.target import Target

TARGET = Target("host/a", host="a")


class Answered:
    """Asked, it gives these answers; `old` and `left` as the real one has them."""

    revision = 7

    def __init__(self, *heard: Heard, old: frozenset[Sidecar] = frozenset()) -> None:
        self.fleet = Fleet({"a": Presence(), "b": Presence()})
        self.unable = old
        self.left: frozenset[Sidecar] = frozenset()
        both: frozenset[Sidecar] = frozenset({("a", "discover"), ("b", "discover")})
        self.missing = both - old
        self._heard = heard

    def ask(self, *_: Any, **__: Any) -> Iterator[Heard]:
        yield from self._heard


def said(host: str, sessions: int = 0, revision: int = 7) -> Heard:
    rows = ({"service": "orders", "port": 80, "sessions": sessions},)
    return Heard(host, "discover", Answer(facts={"revision": revision}, rows=rows), 0.1, 8)


def registered(host: str) -> Heard:
    return Heard(host, "register", unknown("overrides", ("explain",)), 0.1, 8)


def now(*heard: Heard, old: frozenset[Sidecar] = frozenset()) -> Seen:
    return seen_now(cast(Asking, Answered(*heard, old=old)), TARGET)


def test_a_docker_register_that_answers_last_hides_no_docker_discover() -> None:
    seen = now(said("a"), said("b"), registered("a"), registered("b"))
    assert (seen.obeying, seen.behind) == (("a", "b"), ())


def test_who_has_not_applied_it_is_behind_and_who_is_old_never_obeys() -> None:
    assert now(said("a"), said("b", revision=6)).behind == ("b",)
    assert now(said("a")).behind == ("b",)

    seen = now(said("a"), old=frozenset({("b", "discover")}))
    assert (seen.obeying, seen.behind, seen.old) == (("a",), (), ("b",))


def test_idle_is_when_no_host_has_a_connection_left() -> None:
    answers = (said("a", 2), said("b"), registered("a"), said("a", 0), said("b", 5))
    seen = seen_idle(cast(Asking, Answered(*answers)), TARGET, until_s=0.0)
    assert [row["sessions"] for rows in seen.rows.values() for row in rows] == [0, 0]
