"""Which label or variable gave a setting is told by its name; other programs' are not told of."""

from typing import Any

from catalog.records.record import Check
from register.answers.given import given_of
from register.docker.container import Container
from tests.parts.records import container_id, instance


def given(
    labels: dict[str, str] | None = None, env: dict[str, str] | None = None, **record: Any
) -> dict[str, str]:
    container = Container(
        id=container_id(1),
        name="web-1",
        image="shop:7",
        started_ns=1,
        labels=labels or {},
        env=env or {},
    )
    return dict(given_of(container, instance(1, **record)))


def test_labels_and_variables_are_told_apart() -> None:
    labels = {"SERVICE_NAME": "shop", "SERVICE_8000_PORT": "8443"}
    assert given(labels, {"SERVICE_WEIGHT": "50"}, service_port=8443, weight=50) == {
        "service": "label SERVICE_NAME",
        "service_port": "label SERVICE_8000_PORT",
        "weight": "variable SERVICE_WEIGHT",
    }
    assert given(labels, {"SERVICE_NAME": "other"})["service"] == "label SERVICE_NAME"


def test_what_is_not_in_the_record_was_not_given() -> None:
    assert given({"SERVICE_PORT": "81"}, service_port=82) == {}
    assert given({"SERVICE_WEIGHT": "heavy"}) == {}
    assert given({"SERVICE_9999_WEIGHT": "7"}) == {}
    assert given({"SERVICE_WEIGHT": ""}) == {}


def test_nothing_is_told_of_variables_that_are_not_ours() -> None:
    told = given({"owner": "me"}, {"DB_PASSWORD": "hunter2", "SERVICE_TOKEN": "x", "PATH": "/bin"})
    assert told == {}


def test_checks_lists_and_hashes() -> None:
    labels = {
        "SERVICE_CHECK_HTTP": "/health",
        "SERVICE_CHECK_INTERVAL": "2s",
        "SERVICE_HOSTS": "b.example.com,a.example.com",
        "SERVICE_BALANCE": "hash:x-user",
        "SERVICE_MODE": "http",
    }
    record: dict[str, Any] = {
        "check": Check(kind="http", path="/health", interval_ms=2000),
        "hosts": ("b.example.com", "a.example.com"),
        "hash_header": "x-user",
        "mode": "http",
    }
    assert given(labels, **record) == {
        "check.path": "label SERVICE_CHECK_HTTP",
        "check.interval_ms": "label SERVICE_CHECK_INTERVAL",
        "hosts": "label SERVICE_HOSTS",
        "balance": "label SERVICE_BALANCE",
        "mode": "label SERVICE_MODE",
    }


def test_the_words_of_nginx_proxy_are_told_as_they_are() -> None:
    told = given({}, {"VIRTUAL_HOST": "who.example.com"}, hosts=("who.example.com",), mode="http")
    assert told["hosts"] == "variable VIRTUAL_HOST"
