"""docker-discover with one port for all http services, for tests of what leads where."""

import contextlib
import http.client
from collections.abc import Iterator
from pathlib import Path

from catalog.records.record import Instance
from discover.settings import TEMPLATE
from tests.parts.discover import Discover
from tests.parts.etcd import Etcd
from tests.parts.leftovers import scratch_folder
from tests.parts.ports import free_port
from tests.parts.records import instance
from tests.parts.wait import wait_for


class Door(Discover):
    """A docker-discover with its shared http port at `door`, for <service>.apps.test."""

    def __init__(self, folder: Path, etcd: Etcd) -> None:
        self.door = free_port()
        flags = ("--http-bind", f"127.0.0.1:{self.door}", "--domain", "apps.test")
        super().__init__(
            folder, etcd.endpoint, *flags, "--template", str(folder / "haproxy.cfg.j2")
        )
        self.template.write_text(TEMPLATE.read_text())
        folder.chmod(0o700)  # as RUN_DIR is in the image

    def get(self, host: str, path: str = "/", **headers: str) -> tuple[int, str]:
        """Return status and body of a GET for this host."""
        connection = http.client.HTTPConnection("127.0.0.1", self.door, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Host": host, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def wait_answered(self, host: str, name: str, path: str = "/", within_s: float = 10) -> None:
        """Return when calls for this host are answered so."""
        wait_for(
            lambda: self.get(host, path) == (200, name),
            within_s,
            f"{host}{path} is answered by {name}",
        )

    def maps(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return the map that HAProxy has, and the one in the file that it would begin with."""
        files = list(self.folder.glob("door-*.map"))
        assert len(files) == 1, "others are removed after a reload"
        [file] = files
        lines = self.haproxy.adapter.ask(f"@1 show map {file.name}").split("\n")
        running = dict(line.split(" ")[1:] for line in lines if line)
        assert f"map_beg({file.name})" in self.haproxy.config.read_text()
        return running, dict(line.split(" ") for line in file.read_text().splitlines())


@contextlib.contextmanager
def opened(etcd: Etcd) -> Iterator[Door]:
    """Run one, and give it when it is ready."""
    # Not in pytest's folder, which HAProxy's user may not enter: the socket of the pages is in it.
    with scratch_folder("door") as folder, Door(folder, etcd) as door:
        yield door


def web(number: int, service: str, port: int, service_port: int, **changes: object) -> Instance:
    """Return the record of an http instance on loopback."""
    usual = {"address": "127.0.0.1", "mode": "http"}
    return instance(number, service, port=port, service_port=service_port, **{**usual, **changes})
