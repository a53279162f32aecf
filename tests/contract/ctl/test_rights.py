"""Without a right in etcd, tandem says which role is needed, and ends with 6."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ctl import ends, program
from tests.parts.discover import publish
from tests.parts.etcd import Etcd, require_login
from tests.parts.records import PREFIX, instance


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Etcd]:
    with Etcd(tmp_path) as it:
        publish(it, instance(1, service="orders"))
        require_login(it, "reader", "read", f"{PREFIX}/")
        yield it


@pytest.mark.parametrize(
    ("login", "words", "said"),
    [
        ({}, ["ls"], ["helps: a login: --etcd-user"]),
        (
            {"ETCD_USER": "reader", "ETCD_PASSWORD": "wrong"},
            ["ls"],
            ["authentication failed", "the right password"],
        ),
        (
            {"ETCD_USER": "reader", "ETCD_PASSWORD": "pass"},
            ["ls"],
            ["permission denied", f"readwrite {PREFIX}/v1/asks/"],
        ),
        (
            {"ETCD_USER": "reader", "ETCD_PASSWORD": "pass"},
            ["weight", instance(1).container[:12], "5"],
            ["permission denied", f"readwrite {PREFIX}/v1/overrides/"],
        ),
    ],
)
def test_what_is_missing_is_said(
    etcd: Etcd,
    login: dict[str, str],
    words: list[str],
    said: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    environ = {"ETCD_HOST": etcd.endpoint, "ETCD_PREFIX": PREFIX, **login}
    status = program.run(words, environ)
    printed = capsys.readouterr()
    assert (status, printed.out) == (ends.GUARD, "")
    assert [it for it in said if it not in printed.err] == [], printed.err
