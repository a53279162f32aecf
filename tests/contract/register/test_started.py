"""docker-register with the real engine: a start is looked at alone, then listed."""

from itertools import groupby
from pathlib import Path

from tests.parts.docker_proxy import docker_proxy
from tests.parts.engine import Engine
from tests.parts.etcd import Etcd
from tests.parts.register import Catalog, Register
from tests.parts.served import serve
from tests.parts.wait import wait_for

LIST = "/containers/json"
ALL = "all=1"  # what watches the host's ports lists also those that do not run


def test_a_start_is_published_by_an_inspect_and_confirmed_by_a_list(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    with docker_proxy() as proxy, Register(tmp_path, etcd, DOCKER_HOST=proxy.docker_host):
        before = len(proxy.requests)
        one = serve(engine, service)
        inspect = f"/containers/{one.id}/json"
        wait_for(lambda: catalog.instance(service), 10, "published")

        def looks() -> list[str]:
            """Each look once: what watches the host's ports may inspect it at the same time."""
            paths = [line.split()[1].removeprefix("/v1.41") for line in proxy.requests[before:]]
            plain = [path.partition("?")[0] for path in paths if ALL not in path]
            return [look for look, _ in groupby(it for it in plain if it in (inspect, LIST))]

        wait_for(lambda: looks()[-2:] == [LIST, inspect], 5, "a list, and what it shows inspected")
        assert looks() == [inspect, LIST, inspect]
        assert catalog.state(service) == "ready"
