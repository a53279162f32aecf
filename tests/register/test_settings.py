"""Flags and environment of docker-register."""

from pathlib import Path

import pytest

from register.settings import settings_of
from sidecar.options import WrongSettings


def test_the_defaults_are_the_contracts() -> None:
    settings = settings_of([], {})

    assert settings.ttl_s == 15
    assert settings.register == "published"
    assert settings.compose_names == "service"
    assert settings.resync_s == 30
    assert settings.zone == ""
    assert settings.docker_host == "unix:///var/run/docker.sock"
    assert settings.metrics == ("127.0.0.1", 9301)
    assert (settings.host_ip, settings.host_id) == (None, None)


def test_a_flag_beats_a_variable() -> None:
    settings = settings_of(["--ttl", "30"], {"TTL": "20", "ZONE": "eu", "METRICS": "off"})

    assert (settings.ttl_s, settings.zone, settings.metrics) == (30, "eu", None)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("HOST_IP", "host.example"),
        ("HOST_IP", "0.0.0.0"),
        ("HOST_ID", "a/b"),
        ("DOCKER_HOST", "/var/run/docker.sock"),
        ("TTL", "4"),
        ("REGISTER", "all"),
        ("COMPOSE_NAMES", "container"),
        ("RESYNC", "0"),
        ("ZONE", "a\nb"),
        ("METRICS", "9301"),
    ],
)
def test_wrong_values_are_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(WrongSettings, match=name):
        settings_of([], {name: text})


def test_all_mistakes_come_together() -> None:
    with pytest.raises(WrongSettings) as caught:
        settings_of(["--nonsense"], {"TTL": "x", "REGISTER": "all"})

    assert len(caught.value.mistakes) == 3


def test_the_settings_are_shown_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n")

    settings = settings_of(["--etcd-user", "u"], {"ETCD_PASSWORD_FILE": str(tmp_path / "secret")})

    assert settings.access.password == "hunter2"
    assert settings.shown["ETCD_PASSWORD"] == "***"


def test_docker_gets_only_its_own_variables() -> None:
    environ = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certs", "PATH": "/bin"}

    assert settings_of([], environ).docker_environ == {
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": "/certs",
    }
