"""When docker-discover may be relied on: what /readyz promises."""

from pathlib import Path

from tests.parts.backend import backend
from tests.parts.discover import Discover, publish
from tests.parts.etcd import Etcd
from tests.parts.haproxy import get
from tests.parts.ports import free_port
from tests.parts.records import local
from tests.parts.wait import wait_for


def test_ready_means_that_the_whole_catalog_is_served(tmp_path: Path) -> None:
    (tmp_path / "etcd").mkdir()
    (folder := tmp_path / "discover").mkdir()
    tmp_path.chmod(0o755)
    port = free_port()
    with Etcd(tmp_path / "etcd") as etcd, backend("one") as one:
        publish(etcd, local(1, one, port))
        discover = Discover(folder, etcd.endpoint)
        discover.start()
        try:
            wait_for(discover.ready, 20, "docker-discover is ready")

            assert get(port) == (200, "one")
        finally:
            discover.end()
