"""The snapshot's bytes: what went in comes out, and anything else is rejected, never half read."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import Rejected
from catalog.keys import EVERY_SERVICE, OverrideKey
from catalog.overrides.override import Override
from catalog.overrides.standing import Standing
from catalog.records.record import encode as value_of
from discover.snapshot.saved_format import MAGIC, Origin, Saved, Texts, _seal, decode, encode, sane
from discover.snapshot.snapshot import EMPTY
from discover.snapshot.state import State, checked, learn, started
from tests.parts.catalogs import FakeEtcd
from tests.parts.records import PREFIX, instance

AHEAD_S = 1_000_000.0
HERE = Origin("me", PREFIX, ("e1:2379", "e2:2379"))


def known() -> State:
    etcd = (
        FakeEtcd(cluster=77)
        .claim("h1", "h2", "h3")
        .put("h1", instance(1))
        .put("h2", instance(2))
        .purge("h9")
    )
    etcd.put("h3", instance(3, "other", port=9, tags=("a b", "ü\u2028"[:1])))
    state = learn(started(EMPTY, {}), *etcd.relist(), 100.0)
    state = learn(state, *etcd.expire("h1").expire("h2").expire("h3").step(), 200.0)
    name = next(iter(state.suspects))
    return checked(state, {name: "failing"}, 201.5)


def text_of(state: State, texts: Texts | None = None) -> str:
    return encode(Saved(state.catalog, state.suspects, "me"), HERE, AHEAD_S, texts or Texts())


def test_what_went_in_comes_out() -> None:
    state = known()
    saved = decode(text_of(state).encode(), HERE, AHEAD_S)

    assert saved.catalog.same_as(state.catalog)
    assert (saved.catalog.cluster, saved.catalog.revision) == (77, state.catalog.revision)
    assert (saved.suspects, saved.host) == (state.suspects, "me")
    assert state.frozen == 3


def test_times_outlive_a_boot() -> None:
    saved = decode(text_of(known()).encode(), HERE, AHEAD_S - 50.0)

    assert {suspect.since_s for suspect in saved.suspects.values()} == {250.0}


@pytest.mark.parametrize(
    ("behind_s", "expected"), [(500.0, 0.0), (1e9, 0.0), (-300.0, 301.5), (-1e9, 40.0)]
)
def test_a_wall_clock_that_is_wrong_makes_nobody_a_suspect_for_ever_or_for_too_long(
    behind_s: float, expected: float
) -> None:
    now_s = 201.5
    saved = sane(decode(text_of(known()).encode(), HERE, AHEAD_S - behind_s), now_s, age_s=40.0)

    assert {now_s - s.since_s for s in saved.suspects.values()} == {expected}
    assert all(
        s.since_s <= s.failing_s <= now_s
        for s in saved.suspects.values()
        if s.failing_s is not None
    )


def test_what_another_host_wrote_stays_its_own_until_etcd_was_asked() -> None:
    other = Origin("another", HERE.prefix, HERE.etcd)
    saved = decode(text_of(known()).encode(), other, AHEAD_S)

    again = encode(
        Saved(saved.catalog, saved.suspects, saved.catalog.written_by), other, AHEAD_S, Texts()
    )
    assert (
        saved.catalog.written_by,
        decode(again.encode(), other, AHEAD_S).catalog.written_by,
    ) == (
        "me",
        "me",
    )
    assert decode(text_of(known()).encode(), HERE, AHEAD_S).catalog.written_by == ""


def test_services_that_did_not_change_are_not_encoded_again() -> None:
    texts, state = Texts(), known()
    assert text_of(state, texts) == text_of(state, texts) == text_of(state)


@pytest.mark.parametrize("cut", [0, 1, 20, 200, -1, -40])
def test_a_truncated_file_is_rejected(cut: int) -> None:
    with pytest.raises(Rejected, match="damaged"):
        decode(text_of(known()).encode()[:cut], HERE, AHEAD_S)


@settings(deadline=None)
@given(st.integers(0, 4000), st.integers(1, 255))
def test_a_flipped_bit_is_rejected(at: int, flip: int) -> None:
    content = bytearray(text_of(known()).encode())
    content[at % len(content)] ^= flip

    with pytest.raises(Rejected):
        decode(bytes(content), HERE, AHEAD_S)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_rejected(content: bytes) -> None:
    with pytest.raises(Rejected):
        decode(content, HERE, AHEAD_S)


def test_another_prefix_and_another_version_are_rejected() -> None:
    with pytest.raises(Rejected, match="has the prefix '/services', not '/other'"):
        decode(text_of(known()).encode(), Origin("me", "/other", HERE.etcd), AHEAD_S)
    with pytest.raises(Rejected, match="another version"):
        decode(text_of(known()).replace(f"{MAGIC} 1", f"{MAGIC} 2").encode(), HERE, AHEAD_S)


def test_another_etcd_is_rejected_but_not_a_member_more_or_less() -> None:
    content = text_of(known()).encode()

    with pytest.raises(Rejected, match="from the etcd 'e1:2379,e2:2379', not 'e3:2379'"):
        decode(content, Origin("me", PREFIX, ("e3:2379",)), AHEAD_S)
    assert decode(content, Origin("another", PREFIX, ("e2:2379", "e3:2379")), AHEAD_S).host == "me"


def test_what_a_later_version_wrote_more_is_ignored_when_this_one_is_back() -> None:
    head = json.dumps(["catalog", PREFIX, "me", HERE.etcd, 1, 9])
    body = f'{head}\n["later",{{"more":1}}]\n'

    assert decode((_seal(body.encode()) + body).encode(), HERE, AHEAD_S).catalog.revision == 9


@pytest.mark.parametrize(
    "line",
    [
        ["record", "/services/v1/hosts/h1/owner", 1, True, value_of(instance(1)).decode()],
        [
            "record",
            "/services/v1/hosts/h1/instances/other/000000000001:8000",
            1,
            True,
            value_of(instance(1)).decode(),
        ],
        ["record", "/services/v1/hosts/h1/instances/whoami/000000000001:8000", 1, True, "{}"],
        ["suspect", "/services/v1/hosts/h1/instances/whoami/000000000001:8000"],
        ["owner"],
        [],
        {},
    ],
)
def test_a_sealed_line_that_is_none_is_rejected(line: object) -> None:
    body = json.dumps(["catalog", PREFIX, "me", HERE.etcd, 1, 1]) + "\n" + json.dumps(line) + "\n"

    with pytest.raises(Rejected):
        decode((_seal(body.encode()) + body).encode(), HERE, AHEAD_S)


def test_a_file_without_its_head_is_rejected() -> None:
    with pytest.raises(Rejected, match="has no first line"):
        decode(_seal(b"").encode(), HERE, AHEAD_S)


def test_only_overrides_that_need_no_lease_outlive_a_start_without_etcd() -> None:
    drain = Override(by="anna", instance="000000000001:8000", state="draining")
    of_a_lease = Override(by="r-12", instance="000000000001:8000", weight=5)
    with_an_end = Override(by="bob", host="h1", state="draining", until_s=2_000_000_000)
    led_away = Override(by="eve", to="192.0.2.7:9000", until_s=2_000_000_000)
    overrides = {
        OverrideKey("whoami", "drain"): Standing(drain, "", 5, leased=False),
        OverrideKey("whoami", "weight"): Standing(of_a_lease, "", 6, leased=True),
        OverrideKey(EVERY_SERVICE, "h1"): Standing(with_an_end, "", 7, leased=True),
        OverrideKey("whoami", "to"): Standing(led_away, "", 8, leased=True),
        OverrideKey("whoami", "bad"): Standing(None, "not JSON", 9, leased=False),
    }
    state = known()
    state = replace(state, catalog=replace(state.catalog, overrides=overrides))

    saved = decode(text_of(state).encode(), HERE, AHEAD_S)

    kept = {key.id: standing for key, standing in saved.catalog.overrides.items()}
    assert kept == {
        "drain": Standing(drain, "", 5, leased=False),
        "h1": Standing(with_an_end, "", 7, leased=True),
    }
