"""When somebody wrote to etcd, seen by a process of its own: what is measured may keep its own
process busy.

    python -m tests.parts.writes HOST:PORT KEY-PREFIX

prints "<monotonic seconds> put|delete" for each transaction.
"""

import subprocess
import sys
import time
from pathlib import Path

from catalog.access import Access, parse_members
from catalog.errors import Compacted, Unavailable
from catalog.store import Batch, Store
from tests.parts.etcd import Etcd
from tests.parts.wait import let_pass, wait_for


class Writes:
    """All transactions below a prefix from now on, through every outage; of a wiped etcd those of
    the new one too.
    """

    def __init__(self, etcd: Etcd, prefix: str) -> None:
        self._words = [sys.executable, "-m", "tests.parts.writes", etcd.endpoint, prefix]
        self._file = etcd.folder / "writes"
        self._skipped = 0

    def __enter__(self) -> "Writes":
        with self._file.open("wb") as sink:
            self._process = subprocess.Popen(self._words, stdout=sink)
        wait_for(lambda: "watching" in self._file.read_text(), 20, "it watches")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(10)

    def clear(self) -> None:
        self._skipped = len(self._file.read_text().splitlines())

    @property
    def puts(self) -> list[float]:
        return self._times("put")

    @property
    def deletes(self) -> list[float]:
        return self._times("delete")

    def _times(self, kind: str) -> list[float]:
        lines = self._file.read_text().splitlines()[self._skipped :]
        return [float(line.split()[0]) for line in lines if line.endswith(kind)]


def most_in_a_second(times: list[float]) -> int:
    """Return how many of these times lie within one second, at most."""
    return max((sum(1 for t in times if at <= t < at + 1) for at in times), default=0)


def _watch(endpoint: str, prefix: str) -> None:
    last: int | None = None
    while True:
        store = Store(Access(parse_members(endpoint)), deadline_s=2)
        try:
            now = store.list(f"{prefix}none").revision
            last = now if last is None else last if last <= now else 0
            watch = store.watch(prefix, last)
            print("watching", flush=True)
            for batch in watch:
                _tell(batch)
                last = batch.revision
        except (Unavailable, Compacted):
            let_pass(0.05)
        finally:
            store.close()


def _tell(batch: Batch) -> None:
    kinds = {(event.revision, "put" if event.entry else "delete") for event in batch.events}
    for _, kind in sorted(kinds):
        print(time.monotonic(), kind, flush=True)


if __name__ == "__main__":
    assert Path("catalog").is_dir(), "run it from the checkout"
    _watch(*sys.argv[1:])
