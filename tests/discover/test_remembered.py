"""The snapshot's bytes: what went in comes out, and anything else is rejected, never half read."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import Rejected
from catalog.record import encode as value_of
from discover.evidence import State, judge, learn, started
from discover.remembered import MAGIC, Saved, Texts, _seal, decode, encode
from discover.snapshot import EMPTY
from tests.parts.catalogs import FakeEtcd
from tests.parts.records import PREFIX, instance

AHEAD_S = 1_000_000.0


def known() -> State:
    etcd = FakeEtcd(cluster=77).claim("h1", "h2", "h3").put("h1", instance(1)).put("h2", instance(2)).purge("h9")
    etcd.put("h3", instance(3, "other", port=9, tags=("a b", "ü\u2028"[:1])))
    state = learn(started(EMPTY, {}), *etcd.relist(), 100.0)
    state = learn(state, *etcd.expire("h1").expire("h2").expire("h3").step(), 200.0)
    name = next(iter(state.suspects))
    return judge(state, {name: "failing"}, 201.5)


def text_of(state: State, texts: Texts | None = None) -> str:
    return encode(Saved(state.catalog, state.suspects, "me"), PREFIX, AHEAD_S, texts or Texts())


def test_what_went_in_comes_out():
    state = known()
    saved = decode(text_of(state).encode(), PREFIX, AHEAD_S)

    assert saved.catalog.same_as(state.catalog)
    assert (saved.catalog.cluster, saved.catalog.revision) == (77, state.catalog.revision)
    assert (saved.suspects, saved.host) == (state.suspects, "me")
    assert state.frozen == 3


def test_times_outlive_a_boot():
    saved = decode(text_of(known()).encode(), PREFIX, AHEAD_S - 50.0)

    assert {suspect.since_s for suspect in saved.suspects.values()} == {250.0}


def test_services_that_did_not_change_are_not_encoded_again():
    texts, state = Texts(), known()
    assert text_of(state, texts) == text_of(state, texts) == text_of(state)


@pytest.mark.parametrize("cut", [0, 1, 20, 200, -1, -40])
def test_a_truncated_file_is_rejected(cut):
    with pytest.raises(Rejected, match="damaged"):
        decode(text_of(known()).encode()[:cut], PREFIX, AHEAD_S)


@settings(deadline=None)
@given(st.integers(0, 4000), st.integers(1, 255))
def test_a_flipped_bit_is_rejected(at, flip):
    content = bytearray(text_of(known()).encode())
    content[at % len(content)] ^= flip

    with pytest.raises(Rejected):
        decode(bytes(content), PREFIX, AHEAD_S)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_rejected(content):
    with pytest.raises(Rejected):
        decode(content, PREFIX, AHEAD_S)


def test_another_prefix_and_another_version_are_rejected():
    with pytest.raises(Rejected, match="of the prefix '/services', not '/other'"):
        decode(text_of(known()).encode(), "/other", AHEAD_S)
    with pytest.raises(Rejected, match="another version"):
        decode(text_of(known()).replace(f"{MAGIC} 1", f"{MAGIC} 2").encode(), PREFIX, AHEAD_S)


@pytest.mark.parametrize(
    "line",
    [
        ["record", "/services/v1/hosts/h1/owner", 1, True, value_of(instance(1)).decode()],
        ["record", "/services/v1/hosts/h1/instances/other/000000000001:8000", 1, True, value_of(instance(1)).decode()],
        ["record", "/services/v1/hosts/h1/instances/whoami/000000000001:8000", 1, True, "{}"],
        ["suspect", "/services/v1/hosts/h1/instances/whoami/000000000001:8000"],
        ["something"],
        [],
        {},
    ],
)
def test_a_sealed_line_that_is_none_is_rejected(line):
    body = json.dumps(["catalog", PREFIX, "me", 1, 1]) + "\n" + json.dumps(line) + "\n"

    with pytest.raises(Rejected):
        decode((_seal(body.encode()) + body).encode(), PREFIX, AHEAD_S)


def test_a_file_without_its_head_is_rejected():
    with pytest.raises(Rejected, match="does not say what it is of"):
        decode(_seal(b"").encode(), PREFIX, AHEAD_S)
