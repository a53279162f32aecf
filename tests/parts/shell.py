"""Calls `tandem` in this process, and gives how it ended and what it printed."""

import pytest

from ctl import program
from tests.parts.etcd import Etcd
from tests.parts.records import PREFIX


class Shell:
    """Calls `tandem`, and reads what it prints."""

    def __init__(self, etcd: Etcd, capsys: pytest.CaptureFixture[str]) -> None:
        self._environ = {"ETCD_HOST": etcd.endpoint, "ETCD_PREFIX": PREFIX}
        self._capsys = capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Return the status, standard output and standard error."""
        status = program.run(words, self._environ)
        said = self._capsys.readouterr()
        return status, said.out, said.err
