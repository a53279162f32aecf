"""The image `tandem` asks the pair over the network, without any right on the machine."""

from tests.parts.engine import Pair, docker
from tests.parts.pair_service import Service

ALONE = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


def test_it_asks_a_pair_that_it_was_not_started_with(pair: Pair, service: Service) -> None:
    service.run()

    def tandem(*words: str) -> str:
        reach = ("--network", "host", "-e", f"ETCD_HOST={pair.address}:2379")
        return docker("run", "--rm", *ALONE, *reach, "tandem", *words)

    assert tandem("wait", service.name).startswith(f"{service.name}  ready 1/1 on 1 of 1 hosts")
    assert service.name in tandem("ls", "-o", "name").split()
