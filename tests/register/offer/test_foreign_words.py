"""What registrator and its heirs read and we do not is said, and is no attribute."""

import pytest

from register.offer.instances import OfferSettings, instances_of
from tests.parts.containers import container, published

SETTINGS = OfferSettings("10.0.0.1")


@pytest.mark.parametrize(
    ("key", "text", "why", "quiet"),
    [
        ("SERVICE_9000-9100_IGNORE", "true", "a label is for one port here", False),
        ("SERVICE_9000-9100_NAME", "bulk", "a label is for one port here", False),
        ("SERVICE_53_UDP_NAME", "dns", "only TCP is balanced", False),
        ("SERVICE_53_udp_NAME", "dns", "only TCP is balanced", False),
        ("SERVICE_CHECK_SCRIPT", "curl -u a:b c", "give the image a HEALTHCHECK", False),
        ("SERVICE_8000_CHECK_HTTPS", "/up", "give the image a HEALTHCHECK", False),
        ("SERVICE_CHECK_DOCKER", "true", "give the image a HEALTHCHECK", False),
        ("SERVICE_CHECK_TTL", "30s", "give the image a HEALTHCHECK", False),
        ("SERVICE_CHECK_INITIAL_STATUS", "passing", "not needed", True),
        ("SERVICE_CHECK_DEREGISTER_AFTER", "10m", "not needed", True),
    ],
)
def test_words_of_registrator_that_are_not_read_are_said(
    key: str, text: str, why: str, quiet: bool
) -> None:
    for given in ({"labels": {key: text}}, {"env": {key: text}}):
        offer = instances_of(container(**given), SETTINGS)

        assert offer.instances == instances_of(container(), SETTINGS).instances
        [note] = offer.reasons.values()
        assert (note.code, note.quiet) == ("NOT_READ", quiet)
        assert note.text.startswith(f"{key} of web-1: ")
        assert why in note.text


@pytest.mark.parametrize(
    ("key", "text", "why"),
    [
        ("SERVICE_CHECK_HTTP_METHOD", "HEAD", "no such check"),
        ("SERVICE_CHECK_INTERVALL", "5s", "no such check"),
        ("SERVICE_9000-9100_REGION", "eu", "a label is for one port here"),
        ("SERVICE_IP", "10.0.0.5", "use SERVICE_ADDRESS"),
        ("SERVICE_8000_ALIAS", "old-web", "a port is one service here"),
    ],
)
def test_what_may_be_any_variable_is_said_of_labels_only(key: str, text: str, why: str) -> None:
    label = instances_of(container(labels={key: text}), SETTINGS)
    variable = instances_of(container(env={key: text}), SETTINGS)

    assert [note.code for note in label.reasons.values()] == ["NOT_READ"]
    assert why in next(iter(label.reasons.values())).text
    assert not label.instances[0].attributes
    assert not variable.reasons


def test_that_a_host_name_is_for_some_callers_only_is_not_done() -> None:
    variables = {"VIRTUAL_HOST": "a.example", "NETWORK_ACCESS": "internal"}

    offer = instances_of(container(env=variables), SETTINGS)
    elsewhere = instances_of(container(env={"NETWORK_ACCESS": "internal"}), SETTINGS)

    assert {place: note.code for place, note in offer.reasons.items()} == {
        "web-1 NETWORK_ACCESS": "NOT_READ"
    }
    assert not elsewhere.reasons


def test_many_labels_of_one_kind_are_one_line() -> None:
    labels = {f"SERVICE_{port}_UDP_NAME": "rtp" for port in range(9000, 9020)}

    offer = instances_of(container(labels=labels), SETTINGS)

    [note] = offer.reasons.values()
    assert note.text == (
        "SERVICE_9000_UDP_NAME, SERVICE_9001_UDP_NAME, SERVICE_9002_UDP_NAME and 17 more of web-1: "
        "only TCP is balanced"
    )


def test_the_tcp_of_a_port_is_read() -> None:
    labels = {"SERVICE_53_TCP_NAME": "dns", "SERVICE_53_UDP_NAME": "dns-udp"}
    free = {"SERVICE_8000_TCP_NODELAY": "1"}

    dns = instances_of(container(labels=labels, bindings=published(53)), SETTINGS)
    tuned = instances_of(container(labels=free), SETTINGS)

    assert [instance.service for instance in dns.instances] == ["dns"]
    assert tuned.instances[0].attributes == {"tcp_nodelay": "1"}


def test_attributes_of_registrator_are_kept_from_labels_only() -> None:
    words = {"SERVICE_ID": "web.12", "SERVICE_REGION": "eu", "SERVICE_EUREKA_STATUS": "UP"}

    label = instances_of(container(labels=words), SETTINGS)
    variable = instances_of(container(env=words), SETTINGS)

    assert label.instances[0].attributes == {"id": "web.12", "region": "eu", "eureka_status": "UP"}
    assert not variable.instances[0].attributes
    assert not label.reasons
    assert not variable.reasons
