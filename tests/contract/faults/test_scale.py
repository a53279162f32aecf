"""Row 39: ten thousand instances of one service, and what docker-discover needs for them."""

import re
from pathlib import Path

from catalog.records.record import Check, encode
from catalog.store import Store
from tests.parts.backend import backend
from tests.parts.discover import Discover
from tests.parts.etcd import Etcd
from tests.parts.haproxy import get
from tests.parts.ports import free_ports
from tests.parts.records import instance, key
from tests.parts.store import put_all
from tests.parts.wait import wait_for

MANY = 10_000
MEMORY_MB = 500


def test_ten_thousand_instances_of_one_service_are_served(tmp_path: Path) -> None:
    (folder := tmp_path / "discover").mkdir()
    tmp_path.chmod(0o755)
    (port,) = free_ports(1)
    with Etcd(tmp_path / "etcd") as etcd, backend("it") as there:
        store = Store(etcd.access)
        at = (f"127.1.{n // 250}.{n % 250 + 1}" for n in range(MANY - 1))
        shared = {"service_port": port, "check": Check(kind="none"), "weight": 0}
        records = [
            instance(n, "huge", address=address, port=9000, **shared)
            for n, address in enumerate(at, 1)
        ]
        records.append(
            instance(MANY, "huge", address="127.0.0.1", port=there, **shared | {"weight": 100})
        )
        put_all(store, {key(one): encode(one) for one in records})
        store.close()
        discover = Discover(folder, etcd.endpoint)
        discover.start()
        try:
            wait_for(lambda: get(port) == (200, "it"), 90, "it is served")
            status = Path(f"/proc/{discover.pid()}/status").read_text()
            config = discover.haproxy.config.read_text()
        finally:
            discover.end()

    peak = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    assert peak
    print(f"peak {int(peak[1]) / 1024:.0f} MB")
    assert int(peak[1]) / 1024 <= MEMORY_MB
    assert len(re.findall(r"^ +server slot-(?!.* disabled$)", config, re.MULTILINE)) == MANY
    assert "balance leastconn" in config
