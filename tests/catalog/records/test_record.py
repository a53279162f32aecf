"""Records: what is written is read back the same, and nothing hostile becomes an Instance."""

import dataclasses
import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import Rejected
from catalog.records import record
from catalog.records.record import Check, Instance, decode, encode
from catalog.values import rules

GOOD: dict[str, Any] = {
    "v": 1,
    "service": "whoami",
    "address": "10.0.0.1",
    "port": 32768,
    "container": "0123456789abcdef" * 4,
    "container_port": 8000,
    "service_port": 8000,
}


# what the first docker-register wrote for that; no later one may write it differently
FIRST_BYTES = (
    b'{"address":"10.0.0.1","attributes":{},"balance":null,'
    b'"check":{"interval_ms":null,"kind":"tcp","path":"/","timeout_ms":null},'
    b'"container":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",'
    b'"container_name":"","container_port":8000,"hosts":[],"image":"","mode":"tcp",'
    b'"on_absence":"keep","panic":"on","port":32768,"retry":"idempotent","role":"real",'
    b'"service":"whoami","service_port":8000,"state":"ready","sticky":"none","tags":[],'
    b'"timeout_ms":null,"v":1,"weight":100,"zone":""}'
)


def json_of(**fields: Any) -> bytes:
    return json.dumps(GOOD | fields).encode()


def choice(alias: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(get_args(alias))


ports = st.integers(1, 65535)
texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20)
labels = st.text("abc019", min_size=1, max_size=5)
host_names = st.lists(labels, min_size=1).map(".".join) | st.lists(labels, min_size=1).map(
    lambda n: ".".join(["*", *n])
)
durations = st.none() | st.integers(100, rules.DURATION_MS_MAX)
checks = st.builds(
    Check,
    kind=choice(record.CheckKind),
    path=st.from_regex(rules.CHECK_PATH, fullmatch=True),
    interval_ms=durations,
    timeout_ms=durations,
    grpc=st.booleans(),
    status=st.just("") | st.from_regex(rules.STATUS_CODES, fullmatch=True),
    host=st.just("") | st.lists(labels, min_size=1).map(".".join),
)
instances = st.builds(
    Instance,
    service=st.from_regex(rules.SERVICE_NAME, fullmatch=True),
    address=st.ip_addresses()
    .map(rules.unmapped)
    .filter(lambda ip: not ip.is_multicast and not ip.is_unspecified)
    .map(str),
    port=ports,
    container=st.text("0123456789abcdef", min_size=64, max_size=64),
    container_port=ports,
    service_port=st.none() | ports,
    mode=choice(record.Mode),
    role=choice(record.Role),
    state=choice(record.State),
    weight=st.integers(0, rules.WEIGHT_MAX),
    container_name=texts,
    image=texts,
    zone=texts,
    hosts=st.lists(host_names, max_size=4).map(tuple),
    check=checks,
    balance=st.none() | choice(record.Balance),
    sticky=choice(record.Sticky),
    timeout_ms=durations,
    retry=choice(record.Retry),
    panic=choice(record.Panic),
    on_absence=choice(record.OnAbsence),
    stub_policy=st.from_regex(rules.STUB_POLICY, fullmatch=True),
    stub_until=st.just("") | st.dates().map(str),
    paths=st.lists(st.from_regex(rules.PATH_PREFIX, fullmatch=True), max_size=3).map(tuple),
    proto=choice(record.Proto),
    hash_header=st.just("") | st.from_regex(rules.HEADER_NAME, fullmatch=True),
    slow_start_ms=durations,
    maxconn=st.none() | st.integers(1, rules.CONNECTIONS_MAX),
    canary=st.just("") | st.from_regex(rules.HEADER_IS, fullmatch=True),
    locality=choice(record.Locality),
    started_ms=st.none() | st.integers(1, record.TIME_MS_MAX),
    origin=st.just("") | st.from_regex(rules.ORIGIN, fullmatch=True),
    leaving=texts,
    tags=st.lists(texts, max_size=4).map(tuple),
    attributes=st.dictionaries(texts, texts, max_size=4),
)


@given(instances)
def test_what_is_encoded_is_decoded_the_same(instance: Instance) -> None:
    assert decode(encode(instance)) == instance


@given(instances, st.randoms())
def test_same_instance_has_the_same_bytes(instance: Instance, random: Any) -> None:
    shuffled = list(instance.attributes.items())
    random.shuffle(shuffled)

    again = dataclasses.replace(instance, attributes=dict(shuffled))

    assert encode(again) == encode(instance)
    assert encode(decode(encode(instance))) == encode(instance)


@given(instances)
def test_record_holds_no_other_field_and_is_one_line(instance: Instance) -> None:
    written = encode(instance)

    assert b"\n" not in written
    assert written.isascii()
    names = {field.name for field in dataclasses.fields(Instance)} | {"v"}
    assert names - record.LATER_FIELDS.keys() <= json.loads(written).keys() <= names


def test_what_the_first_records_did_not_have_is_written_only_if_it_says_something() -> None:
    first = decode(json_of())
    limited = dataclasses.replace(first, maxconn=5)
    with_grpc = dataclasses.replace(first, check=Check(grpc=True))

    assert encode(first) == FIRST_BYTES
    assert json.loads(encode(limited))["maxconn"] == 5
    assert json.loads(encode(with_grpc))["check"]["grpc"] is True


def test_smallest_record_gets_the_defaults() -> None:
    instance = decode(json_of())

    assert instance.mode == "tcp"
    assert instance.role == "real"
    assert instance.state == "ready"
    assert instance.weight == 100
    assert instance.check == Check()
    assert instance.hosts == ()
    assert instance.tags == ()
    assert instance.attributes == {}


def test_unknown_fields_are_ignored() -> None:
    with_unknown = json_of(colour="blue", nested={"a": [1]}, check={"kind": "tcp", "colour": 1})

    assert decode(with_unknown) == decode(json_of())


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("FD00::0005", "fd00::5"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_address_becomes_canonical(given: str, canonical: str) -> None:
    assert decode(json_of(address=given)).address == canonical


HOSTILE_NAMES = [
    *("", " ", "A", "a_b", "a.b", "-a", "a-", "a\n", "a\n  bind *:22", "a b", "a\0", "../x", "a/b"),
    *("{{7*7}}", "{% raw %}", "${jndi:ldap://x}", "$(id)", "`id`", "a;b", "a#b", 'a"b', "a'b"),
    *("a\\b", "%[env(HOME)]", "GLOBAL"),
    *("☃", "\U0001f600", "ａ", "é", "\ud800", "x" * 64, "x" * 5000),
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_service_name_is_rejected(name: str) -> None:
    with pytest.raises(Rejected) as rejected:
        decode(json_of(service=name))

    assert len(str(rejected.value)) < 250, "a message is one line for a log"
    assert "\n" not in str(rejected.value)


@pytest.mark.parametrize("name", ["a", "0", "web", "a-b", "stats", "x" * 63])
def test_service_names(name: str) -> None:
    assert decode(json_of(service=name)).service == name


NOT_A_PORT = [0, -1, 65536, "80", "80;"]
NO_NUMBER = [80.0, True, None, [80], {"a": 1}, 10**400]
NOT_PRINTABLE = ["\n", "\x1b[0m", "a" * 256, 1, None]
WRONG: dict[str, list[Any]] = {
    "address": [
        *("", "localhost", "1.2.3", "1.2.3.4/24", "0.0.0.0", "::", "224.0.0.1", "ff02::1"),
        *("::ffff:0.0.0.0", "::ffff:224.0.0.1"),
        *("fe80::1%eth0", "010.0.0.1", " 10.0.0.1", "10.0.0.1\n", 167772161, None, ["::1"]),
    ],
    "port": [*NOT_A_PORT, *NO_NUMBER],
    "container_port": [*NOT_A_PORT, *NO_NUMBER],
    "service_port": NOT_A_PORT,
    "container": ["", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "0" * 64 + "\n", None, 1],
    "weight": [-1, 257, "1", None, 1.5, False],
    "mode": ["TCP", "udp", "", None, 1, ["tcp"]],
    "role": ["REAL", "main", None],
    "state": ["gone", None, True],
    "balance": ["uri", "", 1, "static-rr\n  server x"],
    "sticky": ["yes", None],
    "retry": ["everything", None],
    "panic": ["yes", True],
    "on_absence": ["fail-closed", None],
    "stub_policy": ["share", "share=101%", "share=5", "pinned", "", None],
    "stub_until": ["2026-6-1", "20260601", "2026-02-30", "soon", "2026-06-01\n", 20260601, None],
    "paths": ["/a", ["a"], ["/a b"], ["/a?b"], ["/a\n"], ["/#"], [1], None],
    "proto": ["h2", "", None],
    "hash_header": ["X Y", "X:", "X\n", 1, "x" * 65],
    "canary": ["X Y", "X=", "=y", "X=a b", "X=a\n", 1],
    "locality": ["rack", "", None],
    "origin": ["a\n", "é", "x" * 129, "\x7f", 1, None],
    "slow_start_ms": [0, -1, "5", True, 10**12],
    "maxconn": [0, -1, "5", True, 10**12],
    "timeout_ms": [0, -5, "5s", 10**12],
    "hosts": [
        *("a.b", ["a b"], ["A.b"], ["a..b"], ["*"], ["*a.b"], ["a.*"], [""], ["-a"], [1], {}),
        *(["a\n"], ["x" * 64], ["é.de"], ["a}"], [".".join(["a" * 60] * 5)], ["a"] * 65),
    ],
    "tags": [
        *("a", [1], ["a\n"], ["a\0"], ["a" * 256], ["\x7f"], ["\x9b"], ["a"] * 65, None),
        *(["\ud800"], ["a\udfffb"], ["a\u2028b"], ["a\u2029"]),
    ],
    "attributes": [
        *([], "a", {"a": 1}, {"a": None}, {"a\n": ""}, {"a": "\r"}, {"\ud800": ""}, None),
        *({str(n): "" for n in range(65)}, {"a": {"b": "c"}}),
    ],
    "container_name": NOT_PRINTABLE,
    "image": NOT_PRINTABLE,
    "zone": [*NOT_PRINTABLE, "\udc80"],
    "check": [None, "tcp", [], {"kind": "script"}, {"kind": None}, {"kind": ["tcp"]}],
}
WRONG_IN_CHECK: dict[str, list[Any]] = {
    "path": [
        *("", "health", "/a b", "/a\n", '/"', "/$x", "/#", "/\\", "/é", "/" * 256, None),
    ],
    "interval_ms": [0, 99, -1, "2s", 10**12, True],
    "timeout_ms": [0, 99, []],
    "grpc": [1, "yes", None],
    "status": ["2xx", "99", "200;", "200 ", 200, "600"],
    "host": ["*.a", "a b", "a\n", 1, "-"],
}


def wrong_values() -> list[tuple[str, Any]]:
    of_instance = [(field, value) for field, values in WRONG.items() for value in values]
    of_check = [(field, value) for field, values in WRONG_IN_CHECK.items() for value in values]

    return [*of_instance, *(("check", {field: value}) for field, value in of_check)]


def short(value: object) -> str:
    return repr(value)[:40]


@pytest.mark.parametrize(("field", "value"), wrong_values(), ids=short)
def test_wrong_value_is_rejected_by_name(field: str, value: Any) -> None:
    with pytest.raises(Rejected, match=field) as rejected:
        decode(json_of(**{field: value}))

    assert len(str(rejected.value)) < 400
    assert "\n" not in str(rejected.value)
    # a message that cannot be logged would end the process that logs it
    str(rejected.value).encode()


@pytest.mark.parametrize(
    "field", ["service", "address", "port", "container", "container_port", "service_port"]
)
def test_missing_field_is_rejected_by_name(field: str) -> None:
    document = {name: value for name, value in GOOD.items() if name != field}

    with pytest.raises(Rejected, match=field):
        decode(json.dumps(document).encode())


@pytest.mark.parametrize("version", [2, 0, 99, "1", None, [1], {}])
def test_other_version_is_rejected(version: Any) -> None:
    with pytest.raises(Rejected, match="an unknown version"):
        decode(json_of(v=version))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"1",
        b"\xff\xfe\x00",
        b"\x00",
        b"{}",
        b'{"v":1}',
        b'{"v":NaN}',
        b'{"v":1,"weight":Infinity}',
        b'{"v":1,"v":1}',
        json_of()[:-1] + b',"port":22}',
        json_of()[:-1] + b',"check":{"kind":"tcp","kind":"http"}}',
        json_of() + b"x",
        json_of(weight=1).replace(b": 1,", b": 1e999,"),
        b"1" * 5000,
        b'{"v":' + b"1" * 5000 + b"}",
        json_of(zone="x" * record.RECORD_BYTES_MAX),
        b"x" * 1_500_000,
    ],
    ids=short,
)
def test_what_is_no_record_is_rejected(value: bytes) -> None:
    with pytest.raises(Rejected) as rejected:
        decode(value)

    assert "\n" not in str(rejected.value)


@pytest.mark.parametrize(
    "field", ["v", "service", "address", "port", "mode", "tags", "attributes", "check", "more"]
)
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"path":', "}")])
def test_nesting_of_any_depth_ends_in_rejection(field: str, opening: str, closing: str) -> None:
    rest = json.dumps({name: value for name, value in GOOD.items() if name != field})
    for depth in (*range(1, 20), *range(700, 1010), 1600):
        nested = opening * depth + "0" + closing * depth
        try:
            decode(f'{rest[:-1]},"{field}":{nested}}}'.encode())
        except Rejected:
            continue
        assert field == "more", "only an unknown field may hold anything"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_rejected(value: bytes) -> None:
    assert_record_or_rejected(value)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from([field.name for field in dataclasses.fields(Instance)]),
        json_values,
        max_size=4,
    )
)
def test_any_values_are_a_record_or_rejected(fields: dict[str, Any]) -> None:
    assert_record_or_rejected(json_of(**fields))


def assert_record_or_rejected(value: bytes) -> None:
    try:
        instance = decode(value)
    except Rejected as rejected:
        assert "\n" not in str(rejected)
        str(rejected).encode()
        return
    assert decode(encode(instance)) == instance


def test_instance_whose_record_nobody_would_read_cannot_exist() -> None:
    with pytest.raises(Rejected, match=f"record: .* bytes, at most {record.RECORD_BYTES_MAX}"):
        dataclasses.replace(decode(json_of()), tags=("é" * 255,) * rules.ITEMS_MAX)


def test_attributes_cannot_be_changed_and_are_sorted() -> None:
    instance = decode(json_of(attributes={"b": "2", "a": "1"}))

    assert list(instance.attributes.items()) == [("a", "1"), ("b", "2")]
    with pytest.raises(TypeError):
        instance.attributes["c"] = "3"  # type: ignore[index]
