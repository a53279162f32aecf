"""The contract's labels: how each is read, which wins, and what a wrong one says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import Rejected
from catalog.record import Check, Instance
from register.offer.instances import OfferSettings, instances_of
from register.offer.labels import PortLabels, labels_of, read
from tests.parts.containers import ID, container, published


def port_labels(
    labels: dict[str, str], env: dict[str, str] | None = None, port: int = 8000
) -> PortLabels:
    return read(labels_of(container(labels=labels, env=env or {})), port)


def record(labels: dict[str, str], env: dict[str, str] | None = None, port: int = 8000) -> Instance:
    """Return a record with the fields that these labels and variables fill."""
    fields = port_labels(labels, env, port).fields
    return Instance(
        service="whoami",
        address="10.0.0.1",
        port=32768,
        container=ID,
        container_port=port,
        **{"service_port": port, **fields},
    )


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("PORT", "80", "service_port", 80),
        ("PORT", "auto", "service_port", None),
        ("MODE", "http", "mode", "http"),
        ("HOSTS", "Shop.example, *.shop.example", "hosts", ("shop.example", "*.shop.example")),
        ("ROLE", "stub", "role", "stub"),
        ("WEIGHT", "0", "weight", 0),
        ("CHECK_HTTP", "/health", "check", Check("http", "/health")),
        ("CHECK_TCP", "true", "check", Check("tcp")),
        ("CHECK_TCP", "false", "check", Check("none")),
        ("CHECK_INTERVAL", "2s", "check", Check(interval_ms=2000)),
        ("CHECK_TIMEOUT", "500ms", "check", Check(timeout_ms=500)),
        ("BALANCE", "leastconn", "balance", "leastconn"),
        ("BALANCE", "hash:X-User", "hash_header", "X-User"),
        ("BALANCE", "hash:X-User", "balance", None),
        ("STUB_POLICY", "Share=5%", "stub_policy", "share=5%"),
        ("PATH", "/api, /v1/", "paths", ("/api", "/v1/")),
        ("PROTO", "h2c", "proto", "h2c"),
        ("CANARY", "X-Canary=on", "canary", "X-Canary=on"),
        ("LOCALITY", "zone", "locality", "zone"),
        ("SLOW_START", "30s", "slow_start_ms", 30_000),
        ("MAXCONN", "50", "maxconn", 50),
        ("CHECK_GRPC", "true", "check", Check("tcp", grpc=True)),
        ("STICKY", "cookie", "sticky", "cookie"),
        ("TIMEOUT", "1m", "timeout_ms", 60_000),
        ("RETRY", "all", "retry", "all"),
        ("PANIC", "off", "panic", "off"),
        ("ON_ABSENCE", "drop", "on_absence", "drop"),
        ("TAGS", r"a,b\,c, d,,a", "tags", ("a", "b,c", "d")),
        ("REGION", "eu-1", "attributes", {"region": "eu-1"}),
    ],
)
def test_each_label_container_wide_and_for_one_port(
    name: str, text: str, field: str, value: object
) -> None:
    assert getattr(record({f"SERVICE_{name}": text}), field) == value
    assert getattr(record({f"SERVICE_8000_{name}": text}), field) == value
    assert getattr(record({f"SERVICE_9000_{name}": text}), field) == getattr(record({}), field)
    assert getattr(record({}, {f"SERVICE_{name}": text}), field) == value


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("IGNORE", "true", "ignore", True),
        ("IGNORE", "false", "ignore", False),
        ("NETWORK", "front", "network", "front"),
        ("ADDRESS", "10.9.9.9", "address", "10.9.9.9"),
    ],
)
def test_what_decides_where_a_port_is_offered_is_no_field_of_the_record(
    name: str, text: str, field: str, value: object
) -> None:
    assert getattr(port_labels({f"SERVICE_{name}": text}), field) == value
    assert getattr(port_labels({f"SERVICE_8000_{name}": text}), field) == value
    assert port_labels({f"SERVICE_9000_{name}": text}) == port_labels({})
    assert port_labels({f"SERVICE_{name}": text}).fields == port_labels({}).fields


@pytest.mark.parametrize(
    ("labels", "env", "weight"),
    [
        ({"SERVICE_WEIGHT": "1"}, {"SERVICE_WEIGHT": "2"}, 1),
        ({"SERVICE_WEIGHT": "1"}, {"SERVICE_8000_WEIGHT": "2"}, 2),
        ({"SERVICE_WEIGHT": "1", "SERVICE_8000_WEIGHT": "2"}, {"SERVICE_8000_WEIGHT": "3"}, 2),
        ({"SERVICE_WEIGHT": ""}, {"SERVICE_WEIGHT": "2"}, 100),
    ],
    ids=["label beats variable", "port beats all", "both", "an empty label takes a variable back"],
)
def test_which_one_wins(labels: dict[str, str], env: dict[str, str], weight: int) -> None:
    assert record(labels, env).weight == weight


def test_a_tcp_check_of_one_port_beats_an_http_check_of_all() -> None:
    labels = {
        "SERVICE_CHECK_HTTP": "/up",
        "SERVICE_5432_CHECK_TCP": "true",
        "SERVICE_CHECK_INTERVAL": "5s",
    }

    assert record(labels, port=5432).check == Check("tcp", interval_ms=5000)
    assert record(labels, port=8000).check == Check("http", "/up", interval_ms=5000)


def test_virtual_host_is_read_unless_there_are_hosts() -> None:
    assert record({}, {"VIRTUAL_HOST": "a.example"}).hosts == ("a.example",)
    assert record({"SERVICE_HOSTS": "b.example"}, {"VIRTUAL_HOST": "a.example"}).hosts == (
        "b.example",
    )


def test_hosts_or_paths_mean_http() -> None:
    assert record({"SERVICE_HOSTS": "a.example"}).mode == "http"
    assert record({}, {"VIRTUAL_PATH": "/api"}).mode == "http"
    assert record({"SERVICE_HOSTS": "a.example", "SERVICE_MODE": "tcp"}).mode == "tcp"


def test_what_an_http_check_expects_is_published_with_any_check() -> None:
    labels = {"SERVICE_CHECK_STATUS": "200-299,404", "SERVICE_CHECK_HOST": "Up.example"}

    assert record(labels | {"SERVICE_CHECK_HTTP": "/up"}).check == Check(
        "http", "/up", status="200-299,404", host="up.example"
    )
    assert record(labels).check == Check("tcp", status="200-299,404", host="up.example")


def test_what_looks_secret_is_no_attribute() -> None:
    env = {
        "SERVICE_DB_PASSWORD": "x",
        "SERVICE_API_TOKEN": "x",
        "SERVICE_API_KEY": "x",
        "SERVICE_KEYSPACE": "k",
    }
    env["SERVICE_DB_URL"] = "postgres://app:hunter2@db/x"

    assert record({}, env).attributes == {"keyspace": "k"}


def test_a_label_that_is_no_setting_never_keeps_a_container_out() -> None:
    env = {
        "SERVICE_ACCOUNT_JSON": '{"a":\n"-----BEGIN PRIVATE KEY"}',
        "SERVICE_REGION": "eu\n",
        "SERVICE_LONG": "x" * 300,
    }
    env |= {f"SERVICE_A{number:03}": "x" for number in range(100)}

    attributes = record({}, env).attributes

    assert list(attributes) == [f"a{number:03}" for number in range(64)]


@pytest.mark.parametrize(
    ("key", "text", "problem"),
    [
        ("SERVICE_8000_WEIGHT", "300", "'300' is not a whole number from 0 to 256"),
        ("SERVICE_WEIGHT", "-1", "'-1' is not a whole number from 0 to 256"),
        ("SERVICE_WEIGHT", "1" * 200, f"'{'1' * 79} is not a whole number from 0 to 256"),
        ("SERVICE_PORT", "0", "'0' is not a whole number from 1 to 65535, or auto"),
        ("SERVICE_MODE", "udp", "'udp' is not one of tcp, http"),
        ("SERVICE_IGNORE", "maybe", "'maybe' is neither true nor false"),
        ("SERVICE_HOSTS", "a b/c", "'b/c' is not a host name, or one with a leading *."),
        ("VIRTUAL_HOST", "~^x", "'~^x' is not a host name, or one with a leading *."),
        ("SERVICE_CHECK_HTTP", "health", "'health' is not a path such as /health"),
        (
            "SERVICE_STUB_POLICY",
            "share=200%",
            "'share=200%' is not supersede, fallback, pin or share=N% with N from 0 to 100",
        ),
        ("SERVICE_BALANCE", "hash", "'hash' is not hash:<header> with a header name"),
        (
            "SERVICE_BALANCE",
            "uri",
            "'uri' is not one of roundrobin, leastconn, random, source, hash:<header>",
        ),
        ("SERVICE_PATH", "api", "'api' is not a path prefix such as /api"),
        ("SERVICE_CANARY", "a b", "'a b' is not a header name, or name=value"),
        ("SERVICE_CHECK_STATUS", "2xx", "'2xx' is not status codes such as 200 or 200-299,404"),
        (
            "SERVICE_CHECK_INTERVAL",
            "5",
            "'5' is not a duration such as 500ms, 2s or 1m, from 100ms to 24h",
        ),
        (
            "SERVICE_MODE",
            "http\nserver x",
            r"'http\nserver x' is not printable text of at most 255 characters",
        ),
    ],
)
def test_a_bad_value_names_container_label_and_what_would_be_right(
    key: str, text: str, problem: str
) -> None:
    with pytest.raises(Rejected) as caught:
        port_labels({key: text})

    assert str(caught.value) == f"{key} of web-1: {problem}"


def test_a_bad_value_refuses_only_its_own_port() -> None:
    two = container(bindings=published(80, 8000), labels={"SERVICE_8000_WEIGHT": "300"})

    offer = instances_of(two, OfferSettings("10.0.0.1"))

    assert [instance.service for instance in offer.instances] == ["whoami-80"]
    codes = {where: problem.code for where, problem in offer.reasons.items()}
    assert codes == {"web-1:8000": "BAD_LABEL"}


names = st.sampled_from(
    [
        "NAME",
        "PORT",
        "MODE",
        "HOSTS",
        "WEIGHT",
        "CHECK_HTTP",
        "CHECK_TCP",
        "CHECK_INTERVAL",
        "NETWORK",
        "ADDRESS",
        "TAGS",
    ]
)
keys = st.builds(
    lambda port, name: f"SERVICE_{port}{name}",
    st.sampled_from(["", "80_", "8000_", "99999_"]),
    names | st.text(),
)


@given(
    labels=st.dictionaries(
        keys | st.text(), st.text() | st.sampled_from(["web", "auto", "/x"]), max_size=6
    )
)
def test_no_label_whatever_makes_it_fail(labels: dict[str, str]) -> None:
    two = container(bindings=published(80, 8000), labels=labels)

    offer = instances_of(two, OfferSettings("10.0.0.1"))

    assert offer.instances or offer.reasons
    assert all("\n" not in problem.text for problem in offer.reasons.values())


@given(text=st.text(), image=st.text())
def test_no_name_or_image_whatever_makes_it_fail(text: str, image: str) -> None:
    changes: dict[str, Any] = {"image": image, "labels": {"com.docker.compose.service": text}}

    offer = instances_of(container(**changes), OfferSettings("10.0.0.1"))

    assert len(offer.instances) + len(offer.reasons) == 1


def test_all_bad_labels_are_named_at_once() -> None:
    with pytest.raises(Rejected) as caught:
        port_labels({"SERVICE_MODE": "htpp", "SERVICE_WEIGHT": "-1"})

    assert str(caught.value) == (
        "SERVICE_MODE of web-1: 'htpp' is not one of tcp, http; "
        "SERVICE_WEIGHT of web-1: '-1' is not a whole number from 0 to 256"
    )
