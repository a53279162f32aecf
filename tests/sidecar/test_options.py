"""Settings: flag beats variable beats default, and every mistake is said at once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from catalog.access import Access, Member
from sidecar.options import (
    COMMON,
    MASKED,
    Option,
    WrongSettings,
    access_of,
    address,
    address_or_off,
    boolean,
    number,
    shown,
    values_of,
)

TTL = Option("TTL", number(5, 3600, "seconds"), "15", "the lease")
OPTIONS = (*COMMON, TTL)


def read(argv: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    return values_of(OPTIONS, "program", "about", list(argv), environ or {})


@pytest.mark.parametrize(
    ("argv", "environ", "expected"),
    [
        ([], {}, 15),
        ([], {"TTL": "20"}, 20),
        ([], {"TTL": ""}, 15),
        (["--ttl", "30"], {"TTL": "20"}, 30),
        (["--ttl=30"], {}, 30),
    ],
)
def test_flag_beats_variable_beats_default(
    argv: list[str], environ: dict[str, str], expected: int
) -> None:
    assert read(argv, environ)["TTL"] == expected


def test_all_mistakes_are_said_together() -> None:
    environ = {"TTL": "soon", "LOG_LEVEL": "loud", "ETCD_PREFIX": "services"}

    with pytest.raises(WrongSettings) as wrong:
        read(["--log-format", "xml", "--nonsense"], environ)

    assert wrong.value.mistakes == (
        "--nonsense: no such flag, --help lists them",
        "ETCD_PREFIX: 'services' is not a key prefix such as /services",
        "LOG_LEVEL: 'loud' is not one of debug, info, warning, error",
        "--log-format: 'xml' is not one of text, json",
        "TTL: 'soon' is not a whole number of seconds from 5 to 3600",
    )


def test_a_secret_comes_from_a_file_and_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\n")

    values = read(environ={"ETCD_USER": "me", "ETCD_PASSWORD_FILE": str(tmp_path / "password")})

    assert values["ETCD_PASSWORD"] == "hunter2"
    assert shown(OPTIONS, values)["ETCD_PASSWORD"] == MASKED
    assert "hunter2" not in repr(access_of(values))


def test_a_secret_file_that_cannot_be_read_is_a_mistake() -> None:
    with pytest.raises(WrongSettings, match="ETCD_PASSWORD_FILE=/nowhere cannot be read"):
        read(environ={"ETCD_PASSWORD_FILE": "/nowhere"})


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"ETCD_USER": "me"}, "only one is given, a login needs both"),
        ({"ETCD_CERT": __file__}, "only one is given, a client certificate needs both"),
        ({"ETCD_HOST": "https://a,http://b"}, "https:// and http:// addresses are mixed"),
    ],
)
def test_settings_that_do_not_fit_together(environ: dict[str, str], message: str) -> None:
    with pytest.raises(WrongSettings, match=message):
        access_of(read(environ=environ))


def test_access_has_all_members() -> None:
    access = access_of(read(environ={"ETCD_HOST": "10.0.0.1, [fd00::1]:4001,etcd.local"}))

    assert access == Access((Member("10.0.0.1"), Member("fd00::1", 4001), Member("etcd.local")))


@pytest.mark.parametrize(
    ("text", "expected"), [("true", True), ("0", False), ("No", False), (" on ", True)]
)
def test_boolean(text: str, expected: bool) -> None:
    assert boolean(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"), [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:80", ("::1", 80))]
)
def test_address(text: str, expected: tuple[str, int]) -> None:
    assert address(text) == expected
    assert address_or_off(text) == expected
    assert address_or_off("off") is None


@pytest.mark.parametrize(
    "text", ["localhost:80", "127.0.0.1", "127.0.0.1:0", "::1:80", "127.0.0.1:http", ":80", ""]
)
def test_a_bad_address_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="is not ip:port"):
        address(text)


def test_help_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        read(["--help"])

    assert end.value.code == 0
    text = capsys.readouterr().out
    assert all(option.flag in text for option in OPTIONS)
