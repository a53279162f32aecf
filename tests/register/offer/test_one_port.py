"""A general label holds for the ports that it can be true of: for all, for one, or for none."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.records.record import Check, Instance
from register.docker.container import Binding, Port
from register.offer.instances import Offer, OfferSettings, instances_of
from tests.parts.containers import container, published

NAMES = {"SERVICE_3000_NAME": "web", "SERVICE_22_NAME": "ssh"}
Fields = Mapping[str, object]


def offered(labels: Mapping[str, str], *ports: int, **changes: str) -> Offer:
    one = container(bindings=published(*(ports or (22, 3000))), labels=labels)
    return instances_of(one, OfferSettings("10.0.0.1", **changes))  # type: ignore[arg-type]


def by_port(offer: Offer) -> dict[int, Instance]:
    return {instance.container_port: instance for instance in offer.instances}


def codes(offer: Offer) -> dict[str, str]:
    return {where: problem.code for where, problem in offer.reasons.items()}


@pytest.mark.parametrize(
    ("labels", "web", "ssh"),
    [
        (
            {"VIRTUAL_HOST": "git.apps.test", "VIRTUAL_PORT": "3000"},
            {"hosts": ("git.apps.test",), "mode": "http"},
            {"hosts": (), "mode": "tcp"},
        ),
        (
            {"VIRTUAL_PATH": "/git", "VIRTUAL_PORT": "3000"},
            {"paths": ("/git",), "mode": "http"},
            {"paths": (), "mode": "tcp"},
        ),
        (
            {"SERVICE_HOSTS": "git.apps.test", "VIRTUAL_PORT": "3000"},
            {"hosts": ("git.apps.test",)},
            {"hosts": (), "mode": "tcp"},
        ),
        (
            {"SERVICE_MODE": "http", "SERVICE_CHECK_HTTP": "/up", "VIRTUAL_PORT": "3000"},
            {"mode": "http", "check": Check("http", "/up")},
            {"mode": "tcp", "check": Check("tcp")},
        ),
        (
            {"SERVICE_3000_MODE": "http", "SERVICE_HOSTS": "git.apps.test"},
            {"hosts": ("git.apps.test",), "mode": "http"},
            {"hosts": (), "mode": "tcp"},
        ),
        (
            {"SERVICE_22_MODE": "tcp", "SERVICE_MODE": "http", "SERVICE_CHECK_HTTP": "/up"},
            {"mode": "http", "check": Check("http", "/up")},
            {"mode": "tcp", "check": Check("tcp")},
        ),
        (
            {"SERVICE_3000_HOSTS": "git.apps.test", "VIRTUAL_HOST": "image.example"},
            {"hosts": ("git.apps.test",)},
            {"hosts": (), "mode": "tcp"},
        ),
        (
            {
                "SERVICE_3000_HOSTS": "git.apps.test",
                "SERVICE_CANARY": "X-Canary",
                "SERVICE_STICKY": "cookie",
                "SERVICE_RETRY": "all",
                "SERVICE_PROTO": "h2c",
                "SERVICE_BALANCE": "hash:X-User",
            },
            {
                "canary": "X-Canary",
                "sticky": "cookie",
                "retry": "all",
                "proto": "h2c",
                "hash_header": "X-User",
            },
            {
                "canary": "",
                "sticky": "none",
                "retry": "idempotent",
                "proto": "h1",
                "hash_header": "",
            },
        ),
        (
            {"SERVICE_3000_CHECK_HTTP": "/up", "SERVICE_CHECK_STATUS": "200"},
            {"check": Check("http", "/up", status="200")},
            {"check": Check("tcp")},
        ),
        ({"SERVICE_PORT": "3000"}, {"service_port": 3000}, {"service_port": 22}),
        (
            {"SERVICE_PORT": "80", "SERVICE_22_PORT": "2222"},
            {"service_port": 80},
            {"service_port": 2222},
        ),
        ({"SERVICE_PORT": "auto"}, {"service_port": None}, {"service_port": None}),
        (
            {
                "SERVICE_WEIGHT": "5",
                "SERVICE_TIMEOUT": "1m",
                "SERVICE_ROLE": "stub",
                "SERVICE_TAGS": "a",
                "SERVICE_REGION": "eu",
                "SERVICE_MODE": "tcp",
                "SERVICE_CHECK_TCP": "false",
                "SERVICE_BALANCE": "random",
            },
            {"weight": 5, "timeout_ms": 60_000, "role": "stub", "balance": "random"},
            {"weight": 5, "tags": ("a",), "attributes": {"region": "eu"}, "check": Check("none")},
        ),
    ],
)
def test_a_general_label_goes_to_the_ports_that_it_fits(
    labels: dict[str, str], web: Fields, ssh: Fields
) -> None:
    offer = offered({**NAMES, **labels})

    found = by_port(offer)
    assert {name: getattr(found[3000], name) for name in web} == web
    assert {name: getattr(found[22], name) for name in ssh} == ssh
    assert codes(offer) == {}


@pytest.mark.parametrize(
    "label",
    [
        ("SERVICE_HOSTS", "git.apps.test"),
        ("VIRTUAL_HOST", "git.apps.test"),
        ("SERVICE_PATH", "/git"),
        ("SERVICE_MODE", "http"),
        ("SERVICE_CHECK_HTTP", "/up"),
        ("SERVICE_CHECK_GRPC", "true"),
        ("SERVICE_PROTO", "h2c"),
        ("SERVICE_PORT", "8080"),
        ("SERVICE_PORT", "no number"),
    ],
)
def test_what_can_be_true_of_one_port_and_fits_two_is_refused_alone(label: tuple[str, str]) -> None:
    key, value = label

    offer = offered({**NAMES, key: value})

    assert offer.instances == offered(NAMES).instances
    assert codes(offer) == {f"web-1 {key}": "AMBIGUOUS_LABEL"}
    name = key.replace("VIRTUAL_HOST", "HOSTS").removeprefix("SERVICE_")
    text = offer.reasons[f"web-1 {key}"].text
    assert f"add the label {'VIRTUAL_PORT, ' * key.startswith('V')}SERVICE_22_{name}" in text


def test_it_says_what_to_add() -> None:
    offer = offered({**NAMES, "VIRTUAL_HOST": "git.apps.test"})

    assert offer.reasons["web-1 VIRTUAL_HOST"].text == (
        "VIRTUAL_HOST of web-1 can be true of one port only, and might mean 22, 3000:"
        " add the label VIRTUAL_PORT, SERVICE_22_HOSTS or SERVICE_3000_HOSTS"
    )


def test_one_port_that_is_offered_has_all_general_labels() -> None:
    labels = {"SERVICE_NAME": "web", "SERVICE_3000_WEIGHT": "7", "SERVICE_HOSTS": "git.apps.test"}

    offer = offered({**labels, "SERVICE_PORT": "80"})

    assert [(i.hosts, i.service_port) for i in offer.instances] == [(("git.apps.test",), 80)]


def test_ports_that_all_say_that_they_speak_http_have_one_general_mode() -> None:
    labels = {"SERVICE_22_HOSTS": "a.test", "SERVICE_3000_CHECK_HTTP": "/", "SERVICE_MODE": "http"}

    offer = offered(labels)

    assert [instance.mode for instance in offer.instances] == ["http", "http"]
    assert codes(offer) == {}


def test_virtual_port_chooses_the_port_that_a_name_means() -> None:
    labels = {"VIRTUAL_HOST": "git.apps.test", "VIRTUAL_PORT": "3000", "SERVICE_NAME": "forge"}

    offer = offered(labels)

    assert {i.service: i.hosts for i in offer.instances} == {"forge": ("git.apps.test",)}
    assert codes(offer) == {"web-1:22": "NOT_CHOSEN"}


def test_virtual_port_asks_for_its_port_alone() -> None:
    labels = {"VIRTUAL_HOST": "git.apps.test", "VIRTUAL_PORT": "3000"}

    assert codes(offered(labels, register="labelled")) == {"web-1:22": "NOT_LABELLED"}


@pytest.mark.parametrize("ports", [(22, 3000), (3000,)])
def test_virtual_port_may_name_a_port_that_is_not_there(ports: tuple[int, ...]) -> None:
    labels = {"VIRTUAL_HOST": "git.apps.test", "VIRTUAL_PORT": "3001"}

    offer = offered(labels, *ports)

    assert [(i.hosts, i.mode) for i in offer.instances] == [((), "tcp")] * len(ports)
    assert codes(offer) == {"web-1:3001": "NO_PUBLISHED_PORT"}
    assert offer.reasons["web-1:3001"].text.endswith("(VIRTUAL_PORT names it)")


LOOPBACK = (*published(22), Binding(Port(3000), "127.0.0.1", 33000))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"VIRTUAL_HOST": "git.test"}, {"web-1 VIRTUAL_HOST": "AMBIGUOUS_LABEL"}),
        ({"VIRTUAL_HOST": "git.test", "VIRTUAL_PORT": "3000"}, {}),
        ({"SERVICE_HOSTS": "git.test", "VIRTUAL_PORT": "3000", "SERVICE_MODE": "http"}, {}),
        ({"SERVICE_3000_MODE": "http", "VIRTUAL_HOST": "git.test"}, {}),
    ],
)
def test_a_host_name_does_not_fall_to_the_port_that_is_left(
    labels: dict[str, str], said: dict[str, str]
) -> None:
    one = container(bindings=LOOPBACK, labels=labels)

    offer = instances_of(one, OfferSettings("10.0.0.1"))

    assert [(i.container_port, i.hosts, i.mode) for i in offer.instances] == [(22, (), "tcp")]
    assert codes(offer) == {"web-1:3000": "LOOPBACK_ONLY", **said}


def test_a_host_name_of_ours_is_about_what_is_offered() -> None:
    one = container(bindings=LOOPBACK, labels={"SERVICE_HOSTS": "a.test", "SERVICE_PORT": "80"})

    offer = instances_of(one, OfferSettings("10.0.0.1"))

    assert [(i.hosts, i.service_port) for i in offer.instances] == [(("a.test",), 80)]


@pytest.mark.parametrize("key", ["VIRTUAL_HOST", "SERVICE_HOSTS"])
def test_a_port_that_only_virtual_port_knows_gets_the_name_and_is_refused(key: str) -> None:
    labels = {key: "git.test", "VIRTUAL_PORT": "3000", "SERVICE_MODE": "http"}

    offer = offered(labels, 22)

    assert [(i.hosts, i.mode) for i in offer.instances] == [((), "tcp")]
    assert codes(offer) == {"web-1:3000": "NO_PUBLISHED_PORT"}


def test_a_port_with_a_bad_name_counts_as_well() -> None:
    labels = {"SERVICE_3000_NAME": "-", "SERVICE_HOSTS": "git.test"}

    offer = offered(labels)

    assert [i.hosts for i in offer.instances] == [()]
    assert codes(offer) == {"web-1:3000": "BAD_NAME", "web-1 SERVICE_HOSTS": "AMBIGUOUS_LABEL"}


def test_virtual_port_as_the_host_has_it_is_said() -> None:
    offer = offered({"VIRTUAL_HOST": "git.apps.test", "VIRTUAL_PORT": "33000"}, 3000)

    assert offer.instances[0].hosts == ()
    assert offer.reasons["web-1:33000"].text.endswith(
        "(VIRTUAL_PORT names it: the host's 33000 leads to port 3000, so name that)"
    )


@pytest.mark.parametrize("text", ["80,443", "http", "0"])
def test_a_virtual_port_that_is_none_is_said(text: str) -> None:
    offer = offered({"VIRTUAL_HOST": "git.apps.test", "VIRTUAL_PORT": text}, 3000)

    assert offer.instances[0].hosts == ("git.apps.test",)
    assert codes(offer) == {"web-1 VIRTUAL_PORT": "NOT_READ"}


def test_virtual_host_alone_means_port_80_as_in_nginx_proxy() -> None:
    offer = offered({"VIRTUAL_HOST": "a.test", "SERVICE_CHECK_HTTP": "/up"}, 80, 443)

    assert {i.container_port: (i.hosts, i.mode) for i in offer.instances} == {
        80: (("a.test",), "http"),
        443: ((), "tcp"),
    }
    assert by_port(offer)[80].check == Check("http", "/up")
    assert codes(offer) == {}


@pytest.mark.parametrize(
    ("labels", "mode", "hosts", "proto", "said"),
    [
        ({"VIRTUAL_PROTO": "http"}, "http", ("a.test",), "h1", set[str]()),
        ({"VIRTUAL_PROTO": "grpc"}, "http", ("a.test",), "h2c", set[str]()),
        ({"VIRTUAL_PROTO": "https"}, "tcp", (), "h1", {"web-1 VIRTUAL_PROTO"}),
        ({"VIRTUAL_PROTO": "uwsgi"}, "tcp", (), "h1", {"web-1 VIRTUAL_PROTO"}),
        ({"VIRTUAL_DEST": "/"}, "http", ("a.test",), "h1", {"web-1 VIRTUAL_DEST"}),
        (
            {"VIRTUAL_HOST_MULTIPORTS": "b.test: {}"},
            "http",
            ("a.test",),
            "h1",
            {"web-1 VIRTUAL_HOST_MULTIPORTS"},
        ),
        (
            {"SERVICE_CHECK_SCRIPT": "x", "SERVICE_3000_CHECK_TTL": "3s"},
            "http",
            ("a.test",),
            "h1",
            {"web-1 SERVICE_3000_CHECK_TTL"},
        ),
    ],
)
def test_words_of_others_that_are_not_read_are_said(
    labels: dict[str, str], mode: str, hosts: tuple[str, ...], proto: str, said: set[str]
) -> None:
    offer = offered({"VIRTUAL_HOST": "a.test", **labels}, 3000)

    assert [(i.mode, i.hosts, i.proto) for i in offer.instances] == [(mode, hosts, proto)]
    assert codes(offer) == dict.fromkeys(said, "NOT_READ")


def test_other_programs_words_without_a_host_name_change_nothing() -> None:
    labels = {"VIRTUAL_PROTO": "https", "VIRTUAL_PORT": "3000"}

    assert offered({**NAMES, **labels}).instances == offered(NAMES).instances


OF_ONE = {
    "SERVICE_PORT": "80",
    "SERVICE_MODE": "http",
    "SERVICE_HOSTS": "a.test",
    "VIRTUAL_HOST": "b.test",
    "SERVICE_PATH": "/a",
    "SERVICE_CHECK_HTTP": "/up",
    "SERVICE_PROTO": "h2c",
    "VIRTUAL_PORT": "3000",
    "SERVICE_22_MODE": "tcp",
    "SERVICE_3000_CHECK_HTTP": "/",
    "SERVICE_3000_PORT": "81",
}


@given(st.sets(st.sampled_from(sorted(OF_ONE))), st.sampled_from([(22, 80, 3000), (22, 3000)]))
def test_no_two_ports_have_what_only_one_can(keys: set[str], ports: tuple[int, ...]) -> None:
    offer = offered({key: OF_ONE[key] for key in keys}, *ports)

    found = by_port(offer)
    assert tuple(found) == ports
    assert len([i for i in offer.instances if i.mode == "http"]) <= 1
    assert found[22].mode == "tcp" or "VIRTUAL_PORT" not in keys
    assert len({i.service_port for i in offer.instances if i.service_port != 80}) >= len(ports) - 2
