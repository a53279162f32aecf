"""Claims of ports: which numbers are drawn, and which claims count when the store loses some."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import Rejected
from discover.model.build import build
from discover.model.ownership import Listening
from discover.snapshot.belongs import Claim
from discover.snapshot.port_claims import (
    Claimed,
    PortRange,
    Wanted,
    choose,
    named_ports,
    port_range,
    wanted,
)
from discover.snapshot.saved_format import Origin, Saved, Texts, decode, encode
from discover.snapshot.snapshot import EMPTY
from discover.snapshot.state import State, learn, started
from tests.parts.catalogs import FakeEtcd
from tests.parts.configs import POLICY
from tests.parts.records import PREFIX, instance

TEN = PortRange(10000, 10009)
AUTO = instance(1, "auto", service_port=None)
ABSENT = "absent"
NONE: Mapping[str, int] = {}
NOTHING: Mapping[str, int] = MappingProxyType({})


def chosen(
    lost: Mapping[str, int] = NOTHING,
    portless: Iterable[str] = (),
    claims: Mapping[str, int] = NOTHING,
    avoid: Iterable[int] = (),
    unusable: Iterable[int] = (),
    within: PortRange = TEN,
) -> Mapping[str, int]:
    known = {name: Claim(port, 1) for name, port in claims.items()}
    it = Wanted(lost, frozenset(portless))
    return choose(it, known, within, avoid=set(avoid), usable=lambda port: port not in unusable)


@pytest.mark.parametrize(
    ("text", "low", "high"), [("10000-10999", 10000, 10999), ("80 - 80", 80, 80)]
)
def test_a_range_is_read(text: str, low: int, high: int) -> None:
    assert (port_range(text), len(port_range(text))) == (PortRange(low, high), high - low + 1)
    assert str(PortRange(low, high)) == text.replace(" ", "")


@pytest.mark.parametrize(
    "text", ["", "10000", "10000-", "-1-5", "a-b", "20-10", "0-10", "1-65536", "1-2-3", "²-³"]
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(Rejected, match="is not a range of ports"):
        port_range(text)


# Choosing


def test_the_name_alone_tells_the_number_while_it_is_free() -> None:
    port = chosen(portless=["web"])["web"]

    assert chosen(portless=["web", "other", "third"])["web"] in TEN.tried_by("web")
    assert chosen(portless=["web"], claims={"x": 9}) == {"web": port}
    assert chosen(portless=["web"], claims={"x": port})["web"] == 10000 + (port - 10000 + 1) % 10


@pytest.mark.parametrize("kind", ["claims", "avoid", "unusable"])
def test_what_another_has_is_not_chosen(kind: str) -> None:
    others = [port for port in range(10000, 10010) if port != 10004]
    claims = {f"s{port}": port for port in others} if kind == "claims" else {}
    avoid = others if kind == "avoid" else []
    unusable = others if kind == "unusable" else []

    found = chosen(portless=["web"], claims=claims, avoid=avoid, unusable=unusable)

    assert found == {"web": 10004}


def test_a_range_that_is_too_small_gives_what_it_has() -> None:
    names = [f"s{number}" for number in range(12)]
    found = chosen(portless=names)

    assert sorted(found.values()) == list(range(10000, 10010))
    assert found.keys() == set(sorted(names)[:10])


def test_a_lost_number_is_put_again_whatever_speaks_against_it_and_before_new_ones() -> None:
    port = next(TEN.tried_by("a"))
    found = chosen(
        lost={"z": port, "far": 30000}, portless=["a"], avoid=[port, 30000], unusable=[30000]
    )

    assert (found["z"], found["far"]) == (port, 30000)
    assert found["a"] not in (port, 30000)


def test_a_lost_number_that_another_claimed_meanwhile_is_lost_for_good() -> None:
    assert chosen(lost={"z": 10001}, claims={"y": 10001}) == {}
    found = chosen(lost={"z": 10001}, portless=["z"], claims={"y": 10001})
    assert found.keys() == {"z"}
    assert found["z"] != 10001


def test_two_that_lost_the_same_number_do_not_both_get_it() -> None:
    assert chosen(lost={"y": 10001, "z": 10001}) == {"y": 10001}


def test_who_has_a_claim_gets_no_other() -> None:
    assert chosen(lost={"web": 10001}, portless=["web"], claims={"web": 10002}) == {}


NAMES = st.sampled_from([f"s{number}" for number in range(15)])
PORTS = st.integers(9998, 10012)


@settings(deadline=None)
@given(
    st.dictionaries(NAMES, PORTS),
    st.frozensets(NAMES),
    st.dictionaries(NAMES, PORTS),
    st.sets(PORTS),
)
def test_no_number_is_ever_given_twice(
    lost: Mapping[str, int],
    portless: Iterable[str],
    claims: Mapping[str, int],
    avoid: Iterable[int],
) -> None:
    found = chosen(lost, portless, claims, avoid)

    assert len({*found.values()}) == len(found)
    assert found.keys().isdisjoint(claims)
    assert set(found.values()).isdisjoint(claims.values())
    drawn = {name: port for name, port in found.items() if lost.get(name) != port}
    assert all(10000 <= port <= 10009 and port not in avoid for port in drawn.values())
    left = portless - claims.keys() - found.keys()
    assert not left or set(range(10000, 10010)) <= {*found.values(), *claims.values(), *avoid}


# Which claims count


def claims_of(state: State) -> dict[str, int]:
    assert state.view.claims == state.catalog.claims
    return {name: claim.port for name, claim in state.catalog.claims.items()}


def fleet() -> tuple[FakeEtcd, State]:
    """Two hosts, one service with a claim, and the claim of one that is not there."""
    etcd = FakeEtcd().claim("h1", "h2").put("h1", AUTO).port("auto", 10001).port(ABSENT, 10002)
    return etcd, learn(started(EMPTY, {}), *etcd.relist(), 0.0)


def test_a_claim_outlives_its_service() -> None:
    etcd, state = fleet()

    state = learn(state, *etcd.delete("h1", AUTO).step(), 1.0)

    assert claims_of(state) == {"auto": 10001, ABSENT: 10002}
    assert wanted(state.catalog, state.stored) == Wanted({}, frozenset())


def test_a_service_without_a_claim_wants_one() -> None:
    etcd = FakeEtcd().claim("h1").put("h1", AUTO, instance(2, "fixed"))
    state = learn(started(EMPTY, {}), *etcd.relist(), 0.0)

    assert wanted(state.catalog, state.stored) == Wanted({}, frozenset({"auto"}))


def test_a_claim_that_somebody_deletes_is_gone_unless_its_service_asks_for_it() -> None:
    etcd, state = fleet()

    state = learn(state, *etcd.release("auto", ABSENT).step(), 1.0)

    assert claims_of(state) == {"auto": 10001}
    assert wanted(state.catalog, state.stored).lost == {"auto": 10001}


@pytest.mark.parametrize("how", ["wiped", "another", "wiped with its only host"])
def test_claims_of_a_store_that_lost_all_count_on_and_are_put_again(how: str) -> None:
    etcd, state = fleet()
    if how == "another":
        state = learn(state, *etcd.replace().relist(), 1.0)
    else:
        if how == "wiped with its only host":
            state = learn(state, *etcd.expire("h2").step(), 0.5)
        state = learn(state, *etcd.wipe().step(), 1.0)
    assert claims_of(state) == {"auto": 10001, ABSENT: 10002}

    state = learn(state, *etcd.claim("h1").put("h1", AUTO).step(), 2.0)
    state = learn(state, *etcd.port("auto", 10001).step(), 3.0)

    assert claims_of(state) == {"auto": 10001, ABSENT: 10002}
    assert wanted(state.catalog, state.stored) == Wanted({ABSENT: 10002}, frozenset())


def test_what_the_store_says_beats_what_it_lost() -> None:
    etcd, state = fleet()

    state = learn(
        state, *etcd.replace().claim("h1").port("auto", 10005).port("new", 10002).relist(), 1.0
    )

    assert claims_of(state) == {"auto": 10005, "new": 10002}


def test_claims_of_a_cloned_disk_are_not_put_into_another_cluster() -> None:
    etcd, state = fleet()
    state = started(replace(state.catalog, written_by="another-host"), {})

    state = learn(state, *etcd.replace().claim("h9").relist(), 1.0)

    assert claims_of(state) == {}


def test_what_was_deleted_while_nobody_looked_is_not_put_again() -> None:
    etcd, state = fleet()
    again = started(state.catalog, {})

    again = learn(again, *etcd.release("auto", ABSENT).relist(), 1.0)

    assert claims_of(again) == {"auto": 10001}


def test_claims_are_kept_over_a_restart() -> None:
    origin = Origin("me", PREFIX, ("e1:2379",))
    _, state = fleet()
    text = encode(Saved(state.catalog, {}, "me"), origin, 0.0, Texts())

    saved = decode(text.encode(), origin, 0.0)

    assert saved.catalog.claims == state.catalog.claims
    assert saved.catalog.same_as(state.catalog)


# What they make of services


def test_a_service_without_a_port_listens_on_its_claim_as_if_its_records_said_so() -> None:
    etcd, state = fleet()
    etcd.put("h2", instance(2, "auto", service_port=7000))
    state = learn(state, *etcd.step(), 1.0)

    claimed, snapshot = Claimed(), state.view
    service = claimed.services(snapshot)["auto"]

    assert (set(service.ports), service.portless) == ({10001, 7000}, ())
    assert claimed.services(snapshot)["auto"] is service
    moved = replace(snapshot, claims={"auto": Claim(10003, 1)})
    assert set(claimed.services(moved)["auto"].ports) == {10003, 7000}


def test_ports_that_records_name_are_not_drawn() -> None:
    etcd, state = fleet()
    state = learn(state, *etcd.put("h2", instance(2, "fixed", service_port=10008)).step(), 1.0)

    assert named_ports(state.catalog) == {10008}


# What HAProxy listens for


def built(
    state: State, holders: Mapping[int, str] | None = None
) -> tuple[list[str], dict[str, tuple[str, bool]]]:
    config, problems = build(state.view, POLICY, listening=Listening(holders or {}))
    reasons = {
        where.split("/")[-2]: (f"{it.code} {it.text}", it.quiet) for where, it in problems.items()
    }
    return [listener.name for listener in config.listeners], reasons


def test_a_service_that_is_being_claimed_for_is_not_worth_a_line_in_the_log() -> None:
    etcd = FakeEtcd().claim("h1").put("h1", AUTO)
    state = learn(started(EMPTY, {}), *etcd.relist(), 0.0)

    listeners, reasons = built(state)
    stuck = replace(POLICY, unclaimed={"auto": "PORT_RANGE 1-2 is full"})
    [problem] = build(state.view, stuck)[1].values()

    assert listeners == []
    assert reasons == {
        "auto": (
            "NO_SERVICE_PORT auto has no service port: one is being claimed from PORT_RANGE",
            True,
        )
    }
    assert (problem.text, problem.quiet) == (
        "auto has no service port: PORT_RANGE 1-2 is full",
        False,
    )


@pytest.mark.parametrize("present", [True, False])
def test_a_claim_keeps_its_port_from_a_newcomer_also_while_its_service_is_away(
    present: bool,
) -> None:
    etcd, state = fleet()
    newcomer = instance(2, "newcomer", service_port=10001 if present else 10002)
    state = learn(state, *etcd.put("h2", newcomer).step(), 1.0)

    listeners, reasons = built(state)

    owner = "auto" if present else ABSENT
    assert listeners == ["auto:10001"]
    assert reasons["newcomer"][0].startswith(
        "PORT_CLAIMED newcomer has no listener: service port 1000"
    )
    assert f"belongs to {owner}, which claimed or named it first" in reasons["newcomer"][0]


def test_a_record_that_is_older_than_a_claim_keeps_its_port_and_so_does_who_has_it() -> None:
    etcd = (
        FakeEtcd().claim("h1").put("h1", instance(2, "older", service_port=10001)).put("h1", AUTO)
    )
    state = learn(started(EMPTY, {}), *etcd.port("auto", 10001).relist(), 0.0)

    assert built(state)[0] == ["older:10001"]
    assert "belongs to older" in built(state)[1]["auto"][0]
    assert built(state, {10001: "auto"})[0] == ["auto:10001"]
