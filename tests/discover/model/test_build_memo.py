"""build with its memo of earlier builds gives the same as without, whatever changes when."""

from dataclasses import replace
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from catalog.entries import Batch, Event
from catalog.keys import HoldKey, PortKey, key_of
from catalog.records.hold import Hold
from catalog.records.hold import encode as hold_of
from catalog.records.port_claim import encode
from discover.model.build import BuildMemo, build
from discover.model.ownership import Listening
from discover.model.proxy_config import Bind, Door, HostPolicy
from discover.snapshot.snapshot import EMPTY, Snapshot, apply
from tests.parts.catalogs import SINCE, UNTIL
from tests.parts.configs import POLICY, PROCESS
from tests.parts.records import PREFIX, entry, instance

# Few of each, so that they get in each other's way.
SERVICES, PORTS = st.sampled_from("abc"), st.sampled_from([8000, 8001, None])
RECORDS = st.builds(
    lambda number, service, port, at, more: instance(
        number, service, service_port=port, port=at, **more
    ),
    number=st.integers(1, 6),
    service=SERVICES,
    port=PORTS,
    at=st.integers(9000, 9009),
    more=st.sampled_from(
        [
            {},
            {"mode": "http"},
            {"role": "stub"},
            {"mode": "http", "hosts": ("x.example",)},
            {"origin": "image a/x"},
            {"origin": "image b/x"},
        ]
    ),
)
ENTRIES = st.builds(
    entry, record=RECORDS, created=st.sampled_from([0, 1, 2, 3]), host=st.sampled_from(["h1", "h2"])
)
DOOR = Door((Bind("127.0.0.1", 80),), "example", "/run/tandem/pages.sock")
POLICIES: list[HostPolicy] = [
    POLICY,
    replace(
        POLICY, unusable={Bind("127.0.0.1", 8000): "another program on this host holds the port"}
    ),
    replace(
        POLICY,
        unusable={Bind("127.0.0.1", 8000): "this host has no such address"},
        unclaimed={"b": "why"},
    ),
    replace(POLICY, process=replace(PROCESS, door=DOOR)),
]
LISTENINGS = [
    Listening(),
    Listening({8000: "b"}, frozenset({Bind("10.0.0.1", 9001)})),
    Listening({8000: "a", 8001: "c"}, frozenset({Bind("127.0.0.1", 8000)})),
]


def _put(found: Any) -> tuple[str, Any]:
    return found.key, found


def _claim(service: str, port: int) -> tuple[str, Any]:
    key = key_of(PREFIX, PortKey(service))
    return key, replace(entry(instance()), key=key, value=encode(port))


def _hold(holder: str, key: HoldKey, until: str | None) -> tuple[str, Any]:
    text = key_of(PREFIX, key)
    value = hold_of(Hold(holder, SINCE, until))
    return text, replace(entry(instance()), key=text, value=value)


HOLD_KEYS = [
    HoldKey("port", "8000"),
    HoldKey("port", "8001"),
    HoldKey("host", "x.example/"),
    HoldKey("name", "a"),
]


CHANGES = st.one_of(
    ENTRIES.map(_put),
    ENTRIES.map(lambda found: (found.key, None)),
    st.builds(_claim, SERVICES, st.sampled_from([8000, 8001])),
    st.builds(
        _hold,
        st.sampled_from(["a", "b", "absent"]),
        st.sampled_from(HOLD_KEYS),
        st.sampled_from([None, UNTIL]),
    ),
    st.sampled_from(HOLD_KEYS).map(lambda key: (key_of(PREFIX, key), None)),
)
# Mostly as before: what is remembered is of use only then.
STEPS = st.tuples(
    st.lists(CHANGES, max_size=2),
    st.sampled_from([*[None] * 4, *POLICIES]),
    st.sampled_from([*[None] * 8, *LISTENINGS]),
)
FIRST = [
    _put(entry(instance(10 + n, name, service_port=8000 + n % 2, port=9020 + n), 1))
    for n, name in enumerate("abc")
]


def _changed(before: Snapshot, changes: list[tuple[str, Any]]) -> Snapshot:
    at = before.revision + 1
    return apply(PREFIX, before, Batch(at, tuple(Event(key, found, at) for key, found in changes)))


@settings(max_examples=300)
@given(
    st.lists(STEPS, min_size=2, max_size=12), st.sampled_from(POLICIES), st.sampled_from(LISTENINGS)
)
def test_the_memo_changes_nothing(
    steps: list[Any], policy: HostPolicy, listening: Listening
) -> None:
    memo, now = BuildMemo(), _changed(EMPTY, FIRST)
    for changes, other_policy, other_listening in steps:
        policy, listening = other_policy or policy, other_listening or listening
        now = _changed(now, changes)
        assert build(now, policy, memo, listening) == build(now, policy, BuildMemo(), listening)


@given(st.lists(CHANGES, max_size=12), CHANGES)
def test_a_service_that_is_the_same_object_has_the_same_listeners(
    before: list[tuple[str, Any]], change: tuple[str, Any]
) -> None:
    memo, old = BuildMemo(), _changed(EMPTY, before)
    then, disputed = build(old, POLICY, memo)
    new = _changed(old, [change])
    after, disputed_now = build(new, POLICY, memo)
    assume(not disputed and not disputed_now)

    same = {name for name, service in new.services.items() if old.services.get(name) is service}
    alike = [each for each in after.listeners if each.service in same and each in then.listeners]
    assert {id(each) for each in alike} <= {id(each) for each in then.listeners}
