"""docker-register is replaced by a new container, and records of other versions are about: nothing
is deleted.
"""

import itertools
import subprocess

from tests.parts.engine import Pair
from tests.parts.pair_service import Service
from tests.parts.wait import wait_for

REPLACED = 3


def test_a_new_registrar_beside_the_old_one_takes_over(pair: Pair, service: Service) -> None:
    one = service.run()
    service.wait_answered_by(one)
    revision = (
        pair.etcdctl("get", "/services/v1/hosts/", "-w", "fields")
        .split('"Revision" : ')[1]
        .split()[0]
    )

    for _ in range(REPLACED):
        old = pair.register
        pair.register = pair.run(
            "docker-register", "-v", "/var/run/docker.sock:/var/run/docker.sock"
        )
        wait_for(
            lambda: "owner" in pair.register.exec("ready", check=False),
            30,
            "the new one waits for the owner",
        )
        old.do("stop")
        wait_for(
            lambda: pair.register.exec("ready", check=False) == "ok", 30, "the new one is ready"
        )
        old.do("rm", "-v")

    two = service.run()
    service.wait_answered_by(one, two)
    # All that happened since, from etcd's own history: the kind of each event, its key, its value.
    watched = [
        "docker",
        "exec",
        pair.etcd.id,
        "timeout",
        "2",
        "etcdctl",
        "watch",
        "--prefix",
        "/services/",
    ]
    seen = subprocess.run(
        [*watched, "--rev", str(int(revision) + 1)], capture_output=True, text=True, check=False
    )
    events = itertools.pairwise(seen.stdout.splitlines())
    assert {kind for kind, key in events if f"/{service.name}/" in key} == {"PUT"}


def test_records_of_newer_registrars_are_served_or_skipped(pair: Pair, service: Service) -> None:
    one = service.run()
    service.wait_answered_by(one)
    found = pair.etcdctl("get", "--prefix", "/services/v1/hosts/", "--print-value-only")
    value = next(line for line in found.splitlines() if f'"service":"{service.name}"' in line)
    newer, newest = "fade" * 3, "beef" * 3
    unknown_fields = value.replace('"v":1', '"v":1,"colour":{"of":["the","future"]}').replace(
        one.short, newer
    )
    root = f"/services/v1/hosts/newer/instances/{service.name}"

    pair.etcdctl("put", f"{root}/{newest}:{service.port}", '{"v":99}')
    pair.etcdctl("put", f"{root}/{newer}:{service.port}", unknown_fields)

    wait_for(lambda: newer in pair.discover.exec("explain"), 10, "it is listened for")
    assert f"{newest}:{service.port}" in pair.discover.exec("explain")
    service.wait_answered_by(one)
    pair.etcdctl("del", "--prefix", "/services/v1/hosts/newer/")
