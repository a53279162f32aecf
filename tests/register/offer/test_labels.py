"""The contract's labels: how each is read, which wins, and what a wrong one says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import Rejected
from catalog.records.record import Check, Instance
from catalog.values.vocabulary import LABELS
from register.offer import foreign_words
from register.offer.instances import OfferSettings, instances_of
from register.offer.labels import labels_of
from register.offer.reading import PortLabels, read
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
        ("STUB_UNTIL", "2026-06-01", "stub_until", "2026-06-01"),
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


@pytest.mark.parametrize(
    ("labels", "env", "kept"),
    [
        ({"SERVICE_REGION": "eu-1"}, {}, {"region": "eu-1"}),
        ({"SERVICE_8000_REGION": "eu-1"}, {}, {"region": "eu-1"}),
        ({}, {"SERVICE_REGION": "eu-1"}, {}),
        ({}, {"SERVICE_8000_REGION": "eu-1"}, {}),
        ({"SERVICE_REGION": "eu-1"}, {"SERVICE_REGION": "us-1"}, {"region": "eu-1"}),
        ({}, {"SERVICE_HEX_32_JWT": "0f", "SERVICE_REALBASE64_64_X": "eA=="}, {}),
        ({"SERVICE_HEX_32_JWT": "0f", "SERVICE_REALBASE64_64_X": "eA=="}, {}, {}),
        ({"SERVICE_NOTE": '"quoted"'}, {}, {"note": '"quoted"'}),
    ],
)
def test_free_attributes_come_from_labels_only(
    labels: dict[str, str], env: dict[str, str], kept: dict[str, str]
) -> None:
    assert record(labels, env).attributes == kept


def test_a_variable_of_another_name_is_not_ours_at_all() -> None:
    env = {"SERVICE_9000_FOO": "x", "SERVICE_NAME_WEB": "x", "SERVICE_PORT_9000_TCP": "tcp://x"}

    labels = labels_of(container(env=env))

    assert labels.ports == ()
    assert labels.general == {}
    assert not labels.asks(8000)


def test_what_looks_secret_is_no_attribute_and_is_not_shown() -> None:
    labels = {
        "SERVICE_DB_PASSWORD": "hunter1",
        "SERVICE_API_TOKEN": "hunter2",
        "SERVICE_API_KEY": "hunter3",
        "SERVICE_8000_SIGNED": "eyJhbGciOiJub25l.eyJodW50ZXI0IjoxfQ.x",
        "SERVICE_DB_URL": "postgres://app:hunter4@db/x",
        "SERVICE_LOGIN": "?user=a&password=hunter5",
        "SERVICE_TAGS": "a,postgres://app:hunter6@db/x",
        "SERVICE_ADDRESS": "https://app:hunter7@db",
        "SERVICE_CHECK_HTTP": "https://app:hunter8@db/up",
        "VIRTUAL_PORT": "https://app:hunter9@db",
        "SERVICE_KEYSPACE": "k",
    }
    good = {key: labels[key] for key in labels.keys() - {"SERVICE_ADDRESS"}}

    offers = [
        instances_of(container(labels=each), OfferSettings("10.0.0.1")) for each in (labels, good)
    ]

    assert offers[0].reasons["web-1:8000"].code == "BAD_LABEL"
    assert offers[1].instances[0].attributes == {"keyspace": "k"}
    assert offers[1].instances[0].tags == ("a",)
    codes = {where: problem.code for where, problem in offers[1].reasons.items()}
    assert codes == {
        "web-1 secrets": "LOOKS_SECRET",
        "web-1 SERVICE_TAGS": "PARTLY_APPLIED",
        "web-1 VIRTUAL_PORT": "NOT_READ",
        "web-1 SERVICE_CHECK_HTTP": "NOT_APPLIED",
    }
    for problem in (*offers[0].reasons.values(), *offers[1].reasons.values()):
        assert "hunter" not in problem.text


def test_a_label_that_is_no_setting_never_keeps_a_container_out() -> None:
    labels = {
        "SERVICE_ACCOUNT_JSON": '{"a":\n"-----BEGIN PRIVATE KEY"}',
        "SERVICE_REGION": "eu\n",
        "SERVICE_LONG": "x" * 300,
    }
    labels |= {f"SERVICE_A{number:03}": "x" for number in range(100)}

    offer = instances_of(container(labels=labels), OfferSettings("10.0.0.1"))

    assert list(offer.instances[0].attributes) == [f"a{number:03}" for number in range(64)]
    assert offer.reasons["web-1 attributes"].code == "PARTLY_APPLIED"


@pytest.mark.parametrize(
    ("name", "text", "kept", "left_out"),
    [
        ("VIRTUAL_HOST", "a.example,~^b\\.example$", ("a.example",), "'~^b\\\\.example$'"),
        ("VIRTUAL_HOST", "a.example,_", ("a.example",), "'_'"),
        ("VIRTUAL_HOST", "my_app.example, b.example,", ("b.example",), "'my_app.example'"),
        ("VIRTUAL_HOST", "a.example,b.*", ("a.example",), "'b.*'"),
        ("VIRTUAL_HOST", "_", (), "'_'"),
        ("VIRTUAL_HOST", "a,-,+", ("a",), "'-' is not a host name, or one with a leading *."),
    ],
)
def test_a_host_name_that_is_not_ours_to_route_costs_itself_alone(
    name: str, text: str, kept: tuple[str, ...], left_out: str
) -> None:
    offer = instances_of(container(labels={name: text}), OfferSettings("10.0.0.1"))

    assert offer.instances[0].hosts == kept
    assert offer.instances[0].mode == "http"
    assert offer.reasons[f"web-1 {name}"].code == "PARTLY_APPLIED"
    assert f"{name} of web-1: left out: {left_out}" in offer.reasons[f"web-1 {name}"].text


def test_a_host_name_whose_paths_cannot_be_used_gets_no_other_calls() -> None:
    found = port_labels({"VIRTUAL_HOST": "a.example", "VIRTUAL_PATH": "~^/(a|b)/"})

    assert not found.fields.get("hosts")
    assert not found.fields["paths"]
    assert {"VIRTUAL_HOST", "VIRTUAL_PATH"} == found.notes.keys()
    assert record({"SERVICE_HOSTS": "a", "VIRTUAL_PATH": "/a,b"}).paths == ("/a",)


@pytest.mark.parametrize("count", [14, 64, 200])
def test_many_plain_names_are_kept_as_far_as_a_record_has_room(count: int) -> None:
    names = [f"name-number-{number:03}.shop.example.com" for number in range(count)]
    labels = {"VIRTUAL_HOST": ",".join(names), "SERVICE_TAGS": ",".join(names)}

    found = port_labels(labels)

    assert found.fields["hosts"] == tuple(names[:64])
    assert found.fields["tags"] == tuple(names[:64])
    assert bool(found.notes) == (count > 64)


@pytest.mark.parametrize(
    ("key", "text", "field", "value"),
    [
        ("SERVICE_WEIGHT", ' "5" ', "weight", 5),
        ("SERVICE_WEIGHT ", " '5'", "weight", 5),
        ("SERVICE_MODE", "http ", "mode", "http"),
        ("SERVICE_CHECK_INTERVAL", '"1m30s"', "check", Check(interval_ms=90_000)),
        ("VIRTUAL_HOST", '"a.example, b.example,"', "hosts", ("a.example", "b.example")),
        ("VIRTUAL_HOST", "a.example,\n  b.example\n", "hosts", ("a.example", "b.example")),
        ("SERVICE_TAGS", "'a, b,'", "tags", ("a", "b")),
        ("SERVICE_TAGS", '"a","b"', "tags", ('"a"', '"b"')),
        ("SERVICE_CHECK_TCP", "False", "check", Check("none")),
        ("SERVICE_WEIGHT", '""', "weight", 100),
        ("SERVICE_WEIGHT", " ", "weight", 100),
    ],
)
def test_what_compose_and_shells_leave_around_a_value_is_no_part_of_it(
    key: str, text: str, field: str, value: object
) -> None:
    assert getattr(record({key: text}), field) == value
    assert getattr(record({}, {key: text}), field) == value


@pytest.mark.parametrize("text", ["true", "True", "1", "yes", '"true"', "TRUE "])
def test_all_that_means_true_ignores(text: str) -> None:
    unpublished = container(bindings=(), labels={"SERVICE_IGNORE": text})
    one = container(labels={"SERVICE_IGNORE": text})

    found = [instances_of(each, OfferSettings("10.0.0.1")).reasons for each in (one, unpublished)]

    assert found[0]["web-1:8000"].code == "IGNORED"
    assert found[1]["web-1"].code == "IGNORED"


@pytest.mark.parametrize(
    ("key", "text", "problem"),
    [
        ("SERVICE_PORT", "0", "'0' is not a whole number from 1 to 65535, or auto"),
        ("SERVICE_PORT", "1" * 200, f"'{'1' * 79} is not a whole number from 1 to 65535, or auto"),
        ("SERVICE_MODE", "udp", "'udp' is not one of tcp, http"),
        ("SERVICE_IGNORE", "maybe", "'maybe' is neither true nor false"),
        ("SERVICE_HOSTS", "a b/c", "'b/c' is not a host name, or one with a leading *."),
        ("SERVICE_HOSTS", "~^x", "'~^x' is not a host name, or one with a leading *."),
        ("SERVICE_PATH", "api", "'api' is not a path prefix such as /api"),
        ("SERVICE_ROLE", "stubb", "'stubb' is not one of real, stub"),
        (
            "SERVICE_STUB_POLICY",
            "share=200%",
            "'share=200%' is not supersede, fallback, pin or share=N% with N from 0 to 100",
        ),
        ("SERVICE_CANARY", "a b", "'a b' is not a header name, or name=value"),
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


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("WEIGHT", "300", "'300' is not a whole number from 0 to 256"),
        ("WEIGHT", "-1", "'-1' is not a whole number from 0 to 256"),
        ("MAXCONN", "many", "'many' is not a whole number from 1 to 1000000"),
        ("CHECK_HTTP", "health", "'health' is not a path such as /health"),
        ("CHECK_GRPC", "svc", "'svc' is neither true nor false"),
        ("CHECK_TCP", "10.0.0.1:80", "'10.0.0.1:80' is neither true nor false"),
        ("CHECK_STATUS", "2xx", "'2xx' is not status codes such as 200 or 200-299,404"),
        ("CHECK_HOST", "a:80", "'a:80' is not a host name"),
        (
            "CHECK_INTERVAL",
            "5",
            "'5' is not a duration such as 500ms, 2s or 1m, from 100ms to 24h",
        ),
        ("TIMEOUT", "30", "'30' is not a duration such as 500ms, 2s or 1m, from 1ms to 24h"),
        ("SLOW_START", "x", "'x' is not a duration such as 500ms, 2s or 1m, from 1ms to 24h"),
        ("BALANCE", "hash", "'hash' is not hash:<header> with a header name"),
        (
            "BALANCE",
            "uri",
            "'uri' is not one of roundrobin, leastconn, random, source, hash:<header>",
        ),
        ("STICKY", "yes", "'yes' is not one of none, cookie"),
        ("RETRY", "3", "'3' is not one of connect, idempotent, all"),
        ("PROTO", "https", "'https' is not one of h1, h2c"),
        ("PANIC", "50%", "'50%' is not one of on, off"),
        ("LOCALITY", "eu", "'eu' is not one of any, zone, host"),
        ("ON_ABSENCE", "stop", "'stop' is not one of keep, drop"),
        (
            "TIMEOUT",
            "1s\nserver x",
            r"'1s\nserver x' is not printable text of at most 255 characters",
        ),
    ],
)
def test_a_bad_value_of_what_only_tunes_leaves_the_default(
    name: str, text: str, problem: str
) -> None:
    given: list[tuple[dict[str, str], dict[str, str]]] = [
        ({f"SERVICE_{name}": text}, {}),
        ({f"SERVICE_8000_{name}": text}, {}),
        ({}, {f"SERVICE_8000_{name}": text}),
    ]

    for labels, env in given:
        offer = instances_of(container(labels=labels, env=env), OfferSettings("10.0.0.1"))
        [key] = labels or env

        assert offer.instances == (instances_of(container(), OfferSettings("10.0.0.1")).instances)
        [note] = offer.reasons.values()
        assert (note.code, note.quiet) == ("NOT_APPLIED", False)
        assert note.text == f"{key} of web-1 is not applied: {problem}"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("SERVICE_TIMEOUT", "30"),
        ("SERVICE_MODE", "production"),
        ("SERVICE_WEIGHT", "heavy"),
        ("SERVICE_PROTO", "https"),
        ("SERVICE_RETRY", "5"),
        ("SERVICE_HOSTS", "kafka-1:9092,kafka-2:9092"),
        ("SERVICE_HOSTS", "kafka-1,kafka-2:9092"),
        ("SERVICE_PATH", "./bin"),
        ("SERVICE_CHECK_INTERVAL", "10"),
    ],
)
@pytest.mark.parametrize("ports", [(8000,), (8000, 9000)])
def test_a_variable_of_another_program_counts_as_not_given(
    key: str, text: str, ports: tuple[int, ...]
) -> None:
    other = container(env={key: text}, bindings=published(*ports))
    named = container(env={key: text, "SERVICE_NAME": "web"})

    offer = instances_of(other, OfferSettings("10.0.0.1"))
    labelled = instances_of(other, OfferSettings("10.0.0.1", "labelled"))
    of_ours = instances_of(named, OfferSettings("10.0.0.1"))

    plain = container(bindings=published(*ports))
    assert offer.instances == instances_of(plain, OfferSettings("10.0.0.1")).instances
    [note] = offer.reasons.values()
    assert (note.code, note.quiet) == ("NOT_APPLIED", True)
    assert f"{key} of web-1 is not applied" in note.text
    assert labelled.instances == ()
    # Who names a container with variables may mean this one, too, and reads the log.
    assert [note.quiet for note in of_ours.reasons.values()] == [False]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("SERVICE_8000_MODE", "production"),
        ("SERVICE_8000_HOSTS", "a:80"),
        ("SERVICE_PORT", ":8080"),
        ("SERVICE_ROLE", "worker"),
        ("SERVICE_IGNORE", "errors"),
        ("SERVICE_STUB_POLICY", "no"),
    ],
)
def test_a_bad_variable_that_says_what_or_where_refuses_its_port(key: str, text: str) -> None:
    offer = instances_of(container(env={key: text}), OfferSettings("10.0.0.1"))

    assert not offer.instances
    assert offer.reasons["web-1:8000"].code == "BAD_LABEL"


@pytest.mark.parametrize("weight", ["SERVICE_WEIGHT", "SERVICE_8000_WEIGHT"])
@pytest.mark.parametrize("canary", ["SERVICE_CANARY", "SERVICE_8000_CANARY"])
def test_a_canary_whose_weight_is_wrong_gets_no_other_calls(weight: str, canary: str) -> None:
    words = {weight: "none", canary: "X-Canary", "SERVICE_MODE": "http"}

    for form in ({"labels": words}, {"env": words}):
        offer = instances_of(container(**form), OfferSettings("10.0.0.1"))

        assert not offer.instances
        assert offer.reasons["web-1:8000"].code == "BAD_LABEL"


@pytest.mark.parametrize("hosts", ["SERVICE_HOSTS", "VIRTUAL_HOST", "SERVICE_8000_HOSTS"])
def test_a_host_name_without_the_path_of_a_variable_gets_no_other_calls(hosts: str) -> None:
    variables = {hosts: "shop.example", "SERVICE_PATH": "api"}

    [instance] = instances_of(container(env=variables), OfferSettings("10.0.0.1")).instances

    assert (instance.hosts, instance.paths) == ((), ())


def test_a_bad_value_refuses_only_its_own_port() -> None:
    two = container(bindings=published(80, 8000), labels={"SERVICE_8000_ROLE": "stubb"})

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


SECRETS = ("https://app:hunter9@db.example", "ghp_hunter9hunter9", "x?token=hunter9 b")


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("key", [*LABELS, "NAME", "ANYTHING", *sorted(foreign_words.ALL)])
def test_no_message_shows_a_value_that_looks_secret(key: str, secret: str) -> None:
    word = key if key in foreign_words.ALL else f"SERVICE_{key}"
    hosts = {"VIRTUAL_HOST": "a.example"} if key == "VIRTUAL_PROTO" else {}
    words = [{word: secret} | hosts, {word.replace("SERVICE_", "SERVICE_8000_"): secret}]
    forms = [{"labels": each} for each in words] + [{"env": each} for each in words]

    for ports in ((8000,), (8000, 9000)):
        for form in forms:
            one = container(bindings=published(*ports), **form)
            offer = instances_of(one, OfferSettings("10.0.0.1"))

            texts = [problem.text for problem in offer.reasons.values()]
            assert all("hunter" not in text for text in texts), texts
            assert all("hunter" not in instance.service for instance in offer.instances)
            assert all("hunter" not in "".join(i.tags) for i in offer.instances)
