"""The services file: what each form of an entry means, and what a wrong one gives."""

import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import Rejected
from catalog.records.record import Check, Instance
from catalog.values.vocabulary import LABELS
from discover.operator.services import (
    FileServices,
    JoinedSnapshots,
    file_services,
    services_of,
    with_last_good,
)
from discover.operator.services_words import CHECK_WORDS, SERVICE_WORDS
from discover.snapshot.snapshot import EMPTY
from tests.parts.markdown import page
from tests.parts.records import instance, snapshot

TWO = "[10.0.0.5:80, 10.0.0.6:80]"


def read(entry: str, name: str = "db") -> FileServices:
    return file_services("services.yaml", f"services:\n  {name}: {entry}\n")


def one(entry: str) -> Instance:
    parsed = read(entry)
    assert parsed.problems == {}
    [record] = parsed.services["db"].records.values()
    return record.instance


def texts(parsed: FileServices) -> list[str]:
    return [problem.text for problem in parsed.problems.values()]


@pytest.mark.parametrize(
    ("servers", "endpoints"),
    [
        ("['10.0.0.5:80']", [("10.0.0.5", 80)]),
        ("[10.0.0.5:80, 10.0.0.6:81]", [("10.0.0.5", 80), ("10.0.0.6", 81)]),
        ("['[2001:DB8::5]:80']", [("2001:db8::5", 80)]),
        ("['[2001:db8::5]']", [("2001:db8::5", 5432)]),
        ("[10.0.0.5]", [("10.0.0.5", 5432)]),
        ("[{address: 10.0.0.5, port: 80}]", [("10.0.0.5", 80)]),
        ("[{address: '2001:db8::5'}]", [("2001:db8::5", 5432)]),
    ],
)
def test_a_server_is_an_address_and_a_port(servers: str, endpoints: list[tuple[str, int]]) -> None:
    parsed = read(f"{{port: 5432, servers: {servers}}}")

    records = parsed.services["db"].records.values()
    assert [record.endpoint for record in records] == endpoints
    assert {record.instance.service_port for record in records} == {5432}
    assert not parsed.problems


def test_without_a_port_callers_dial_the_servers_own() -> None:
    assert one("{servers: [10.0.0.5:80]}").service_port == 80


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        ("", {"mode": "tcp", "role": "real", "weight": 100, "check": Check()}),
        ("mode: http", {"mode": "http"}),
        ("check: {http: /health}", {"check": Check("http", "/health")}),
        (
            "check: {http: /, status: 204, host: a.example}",
            {"check": Check("http", status="204", host="a.example")},
        ),
        (
            "check: {interval: 5s, timeout: 500ms}",
            {"check": Check(interval_ms=5000, timeout_ms=500)},
        ),
        ("check: {grpc: true}", {"check": Check(grpc=True)}),
        ("check: {tcp: false}", {"check": Check("none")}),
        ("check: false", {"check": Check("none")}),
        ("balance: leastconn", {"balance": "leastconn", "hash_header": ""}),
        ("balance: 'hash:X-User'", {"balance": None, "hash_header": "X-User"}),
        (
            "timeout: 1h, retry: all, sticky: cookie",
            {"timeout_ms": 3_600_000, "retry": "all", "sticky": "cookie"},
        ),
        ("panic: off", {"panic": "off"}),
        ("panic: 'on'", {"panic": "on"}),
        ("role: stub, stub_policy: share=5%", {"role": "stub", "stub_policy": "share=5%"}),
        ("hosts: shop.example", {"hosts": ("shop.example",), "mode": "http"}),
        ("hosts: [shop.example, '*.shop.example']", {"hosts": ("shop.example", "*.shop.example")}),
        ("path: [/api], mode: tcp", {"paths": ("/api",), "mode": "tcp"}),
        ("proto: h2c, mode: http", {"proto": "h2c"}),
        (
            "slow_start: 10s, maxconn: 50, canary: X-New=1",
            {"slow_start_ms": 10000, "maxconn": 50, "canary": "X-New=1"},
        ),
        ("zone: b, locality: zone, weight: 7", {"zone": "b", "locality": "zone", "weight": 7}),
        ("tags: [legacy]", {"tags": ("legacy",)}),
        ("port: auto", {"service_port": None}),
    ],
)
def test_the_words_are_those_of_the_labels(words: str, fields: dict[str, object]) -> None:
    instance = one(f"{{servers: [10.0.0.5:80], {words}}}")

    assert {name: getattr(instance, name) for name in fields} == fields


def test_a_server_has_words_of_its_own() -> None:
    six_alone = "{address: 10.0.0.6, weight: 50, state: draining}"
    entry = f"{{port: 80, weight: 10, zone: a, servers: [10.0.0.5, {six_alone}]}}"

    five, six = (record.instance for record in read(entry).services["db"].records.values())

    assert (five.weight, five.zone, five.state) == (10, "a", "ready")
    assert (six.weight, six.zone, six.state) == (50, "a", "draining")


def test_names_stay_whatever_else_changes_and_differ_between_services() -> None:
    before = one("{servers: [10.0.0.5:80]}")
    after = one("{port: 81, weight: 3, servers: [10.0.0.5:80]}")
    [other] = read("{servers: [10.0.0.5:80]}", "other").services["other"].records.values()

    assert before.container == after.container
    assert other.instance.container != before.container


@pytest.mark.parametrize(
    ("entry", "where", "text"),
    [
        (
            "{port: 80, servers: [db.example.org]}",
            "db server 1",
            "'db.example.org' is a host name; servers are IP addr",
        ),
        ("{servers: ['db.example.org:80']}", "db server 1", "is a host name"),
        (
            "{servers: [10.0.0.5:80, 10.0.0.5:99999]}",
            "db server 2",
            "port: 99999 is not a whole number from 1 to 65535",
        ),
        ("{servers: [10.0.0.5:80, 10.0.0.5:80]}", "db server 2", "10.0.0.5:80 is there twice"),
        ("{servers: ['2001:db8::5:80']}", "db server 1", "or [2001:db8::5]:5432"),
        ("{servers: ['[10.0.0.5']}", "db server 1", "is not an IP address"),
        (
            "{servers: ['10.0.0.5:8o']}",
            "db server 1",
            "is not an address and a port, such as 10.0.0.5:5432",
        ),
        ("{servers: [10.0.0.5]}", "db server 1", "has no port"),
        ("{servers: [0.0.0.0:80]}", "db server 1", "is not the address of one machine"),
        ("{servers: [80]}", "db server 1", "80 is not an address and a port"),
        ("{servers: [{port: 80}]}", "db server 1", "address: nothing is not an IP address"),
        (
            "{servers: [{address: 10.0.0.5, port: '80'}]}",
            "db server 1",
            "'80' is not a whole number",
        ),
        (
            "{servers: [{address: 10.0.0.5, port: 80, mode: http}]}",
            "db server 1",
            "'mode' is not a key here",
        ),
        (
            "{servers: [{address: 10.0.0.5, port: 80, weight: 257}]}",
            "db server 1",
            "weight: 257 is not a whole",
        ),
        (f"{{mode: udp, servers: {TWO}}}", "db", "mode: 'udp' is not one of tcp, http"),
        (f"{{prot: 80, servers: {TWO}}}", "db", "role, servers, slow_start, "),
        (f"{{port: 0, servers: {TWO}}}", "db", "port: 0 is not a whole number from 1 to 65535"),
        (f"{{timeout: 5, servers: {TWO}}}", "db", "timeout: '5' is not a duration such as 500ms"),
        (f"{{zone: 5, servers: {TWO}}}", "db", "zone: 5 is not a string; put it in quotes"),
        (f"{{check: /health, servers: {TWO}}}", "db", "check: '/health' is not {http: /health}"),
        (
            f"{{check: {{http: health}}, servers: {TWO}}}",
            "db",
            "check.path: 'health' is not a path such as /health",
        ),
        (
            f"{{check: {{htpp: /}}, servers: {TWO}}}",
            "db",
            "check: 'htpp' is not a key here",
        ),
        (f'{{canary: "a\\n b", servers: {TWO}}}', "db", "is not a header name"),
        (
            f"{{weight: 0x{'f' * 5000}, servers: {TWO}}}",
            "db",
            "weight: a int is not a whole number",
        ),
        (
            f"{{check: {{http: /, status: 0x{'f' * 5000}}}, servers: {TWO}}}",
            "db",
            "status: a int is not a string",
        ),
        ("&a [*a]", "db", "a list of 1 is not a mapping of servers:"),
        ("{port: 80}", "db", "servers: nothing, not a list of addresses and ports"),
        ("[10.0.0.5:80]", "db", "a list of 1 is not a mapping of servers:"),
        ("", "db", "nothing is there; expected a mapping of servers:"),
    ],
)
def test_a_bad_entry_is_one_line_and_leaves_the_rest(entry: str, where: str, text: str) -> None:
    parsed = file_services(
        "services.yaml", f"services:\n  db: {entry}\n  web: {{servers: [10.0.0.9:80]}}\n"
    )

    assert list(parsed.problems) == [f"file:{where}"]
    [problem] = parsed.problems.values()
    assert problem.code == "OUTSIDE_REFUSED"
    assert problem.text.startswith(f"services.yaml: {where}: ")
    assert text in problem.text
    assert "\n" not in problem.text
    assert parsed.refused == {"db"}
    assert "web" in parsed.services


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("services: [a", "not YAML: line "),
        (
            "services:\n  a: {servers: []}\n  a: {servers: []}\n",
            "not YAML: line 3: 'a' is there twice",
        ),
        ("services: {}\n--- \nservices: {}", "not YAML: line 2"),
        (
            "services: !!python/object/apply:os.system [id]",
            "not YAML: line 1: could not determine a constructor",
        ),
        ("", "is empty; expected `services:`"),
        ("db: {servers: []}", "has the keys 'db'; expected `services:`"),
        ("services:", "has the keys 'services'; expected"),
        ("version: 2\nservices: {}", "has the keys 'version', 'services'"),
        ("services: {a: " + "[" * 400, "not YAML: "),
        ("a: 2026-13-45", "not YAML: "),
        ("services: {a: !!bool x}", "not YAML: KeyError"),
        ("services: {a: !!timestamp x}", "not YAML: "),
        ("? [a]\n: b", "not YAML: line 1: found unhashable key"),
        ("x" * (4 * 1024 * 1024 + 1), "at most 4194304 are read"),
    ],
)
def test_what_is_no_such_file_is_refused_as_a_whole(text: str, why: str) -> None:
    with pytest.raises(Rejected) as refused:
        file_services("services.yaml", text)

    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


def test_endless_aliases_give_a_short_message() -> None:
    lists = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 30))
    text = "services: {db: {servers: [1]}}\n"

    with pytest.raises(Rejected, match=r"has the keys .*expected"):
        file_services("services.yaml", f"x0: &x0 [a]\n{lists}{text}")


def test_a_file_without_services_has_none() -> None:
    assert file_services("services.yaml", "services: {}") == FileServices()
    assert read("{port: 80, servers: []}") == FileServices()


def test_a_refused_service_stays_as_it_was() -> None:
    good = file_services("f", f"services: {{db: {{servers: {TWO}}}, web: {{servers: {TWO}}}}}")
    edited = file_services(
        "f", "services: {db: {servers: [10.0.0.5:8o]}, new: {servers: [10.0.0.7:80, x]}}"
    )

    now = with_last_good(edited, good.services)

    assert now.services["db"] is good.services["db"]
    assert now.services.keys() == {"db", "new"}
    of_db, of_new = texts(now)
    assert of_db.endswith("; until then the service keeps its last good form")
    assert not of_new.endswith("; until then the service keeps its last good form")


def test_what_did_not_change_is_the_same_object() -> None:
    text = "services: {db: {servers: [10.0.0.5:80]}}"
    good = file_services("f", text)

    again = with_last_good(file_services("f", text), good.services)

    assert again.services["db"] is good.services["db"]


def test_what_was_kept_is_what_was_read() -> None:
    good = read("{port: 80, servers: [10.0.0.5, {address: 10.0.0.6, role: stub}]}").services

    assert services_of(record.instance for record in good["db"].records.values()) == good


def test_containers_and_servers_of_the_file_are_one_service() -> None:
    catalog = snapshot(instance(1, "db"), instance(2, "web"))
    parsed = read("{port: 8000, servers: [10.0.0.5]}").services
    joined = JoinedSnapshots()

    first = joined.of(catalog, parsed)
    again = joined.of(replace(catalog, revision=101), parsed)

    assert {endpoint[0] for endpoint in first.services["db"].endpoints} == {"10.0.0.1", "10.0.0.5"}
    assert first.services["db"].ports == {8000: 0}
    assert first.services["web"] is catalog.services["web"]
    assert again.services["db"] is first.services["db"]
    assert joined.of(EMPTY, parsed).services == parsed
    assert joined.of(catalog, {}) is catalog


WORDS = st.sampled_from(
    [
        "servers",
        "port",
        "mode",
        "check",
        "hosts",
        "path",
        "balance",
        "timeout",
        "weight",
        "http",
        "address",
        "tags",
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.dates(),
    st.binary(max_size=4),
    WORDS,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(WORDS, SCALARS), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60), VALUES.map(lambda value: yaml.safe_dump({"services": {"db": value}}))
    )
)
def test_any_text_is_read_or_refused_in_one_line_each(text: str) -> None:
    try:
        parsed = file_services("services.yaml", text)
    except Rejected as refused:
        assert "\n" not in str(refused)
    else:
        assert not [text for text in texts(parsed) if "\n" in text]


def test_without_a_file_nothing_of_it_is_loaded() -> None:
    # docker-discover needs little memory
    absent = "{'yaml', 'discover.operator.services'}"
    seen = f"import sys, discover.__main__, discover.commands; print({absent} & sys.modules.keys())"

    ended = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True)

    assert ended.stdout == "set()\n"


def test_the_example_in_the_documents_is_good() -> None:
    text = page("services-file.md").text
    example = text[text.index("    services:") :].partition("\n\n")[0]

    parsed = file_services("services-file.md", textwrap.dedent(example))

    assert not parsed.problems
    assert parsed.services.keys() == {"postgres", "orders"}


def test_every_label_has_its_word() -> None:
    """Except those about where a container is found, and how long after its host's lease."""
    labels = {name.lower() for name in LABELS} - {"ignore", "network", "address", "on_absence"}
    checks = {name.removeprefix("check_") for name in labels if name.startswith("check_")}
    others = {name for name in labels if not name.startswith("check_")}

    assert checks == CHECK_WORDS.keys()
    assert others | {"check", "zone", "state"} == SERVICE_WORDS.keys()


def test_a_wrong_entry_shows_nothing_that_looks_secret() -> None:
    address = f"https://app:{'hunter' * 20}@db"

    for entry in (address, f"{{servers: ['{address}']}}", f"{{servers: [x], port: '{address}'}}"):
        found = texts(read(entry))

        assert found
        assert all("hunter" not in text for text in found), found
