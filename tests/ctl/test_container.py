"""In a container of the pair, tandem asks the etcd that the sidecar was told of by a flag."""

from pathlib import Path

import pytest

from ctl.container import with_flags


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (" '--etcd-host=192.0.2.1' '--bind' '127.0.0.1'", {"ETCD_HOST": "192.0.2.1"}),
        (" '--etcd-host' '192.0.2.1'", {"ETCD_HOST": "192.0.2.1"}),
        (" '--etcd-password=it'\\''s'", {"ETCD_PASSWORD": "it's"}),
        ("", {}),
        (" 'no end", {}),
    ],
)
def test_flags_of_the_sidecar_beat_variables(
    tmp_path: Path, arguments: str, told: dict[str, str]
) -> None:
    path = tmp_path / "arguments"
    path.write_text(arguments)
    assert with_flags({"ETCD_PREFIX": "/x"}, path) == {"ETCD_PREFIX": "/x", **told}


def test_elsewhere_there_are_none(tmp_path: Path) -> None:
    assert with_flags({"A": "b"}, tmp_path / "none") == {"A": "b"}
