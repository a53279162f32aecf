"""A host's engine that restarts or hangs, a registrar that is killed.

The numbers are those of the fault catalogue.
"""

import time
from collections.abc import Callable

import pytest

from lab.engine import Engine
from lab.fleet import Fleet
from lab.host import REGISTER_PORT
from lab.wait import wait_for
from tests.parts.fleet.invariants import Witness, deleted, in_etcd, reloads, settle
from tests.parts.fleet.service import Service

RESTARTS = 3
STALE_S = 5.0
HUNG_S = 20.0
TOLD_S = 40.0  # RESYNC is 30 s, and the engine has 4 s for its answer

each_end = pytest.mark.parametrize("end", [Engine.stop, Engine.kill], ids=["stopped", "killed"])
End = Callable[[Engine], None]


# Row 15
@each_end
def test_an_engine_that_restarts_with_live_restore_changes_nothing(
    fleet: Fleet, service: Service, witness: Witness, end: End
) -> None:
    fleet.h1.engine.set_live_restore(True)
    service.run_on(fleet.h1, fleet.h2)
    before = fleet.etcd.revision()

    with service.load(fleet.h2, fleet.h3) as loads:
        for _ in range(RESTARTS):
            end(fleet.h1.engine)
            fleet.h1.engine.start()
            fleet.h1.engine.wait()
            wait_for(lambda: fleet.h1.is_ready(REGISTER_PORT), 30, "docker-register is ready")
        settle(fleet)

    assert [load.lost() for load in loads] == [{}, {}]
    assert deleted(fleet.etcd.history(before)) == []
    assert not witness.left_without_cause()


# Row 16
@each_end
def test_an_engine_that_restarts_without_its_containers_is_believed(
    fleet: Fleet, service: Service, end: End
) -> None:
    _, kept = service.run_on(fleet.h1, fleet.h2)

    with service.load(fleet.h2, fleet.h3) as loads:
        end(fleet.h1.engine)
        fleet.h1.engine.start()
        fleet.h1.engine.wait()
        back_s = time.monotonic()
        wait_for(
            lambda: {key.host for key in in_etcd(fleet)} == {"h2"}, 30, "h1's instances are gone"
        )
        took_s = time.monotonic() - back_s
        service.wait_answered_by(kept)
        settle(fleet)

    fleet.note(f"gone {took_s:.2f} s after the engine answered")
    assert took_s <= STALE_S
    assert [load.lost() for load in loads] == [{}, {}]


# Row 18, twenty seconds instead of two minutes
def test_an_engine_that_hangs_changes_nothing(
    fleet: Fleet, service: Service, witness: Witness
) -> None:
    service.run_on(fleet.h1, fleet.h2)
    before = fleet.etcd.revision()

    with service.load(fleet.h2, fleet.h3) as loads:
        fleet.h1.engine.pause()
        hung_s = time.monotonic()
        wait_for(lambda: time.monotonic() - hung_s > HUNG_S, HUNG_S + 5, "the engine hangs")
        fleet.h1.engine.resume()
        wait_for(lambda: fleet.h1.is_ready(REGISTER_PORT), 30, "docker-register is ready")
        settle(fleet)

    assert [load.lost() for load in loads] == [{}, {}]
    assert deleted(fleet.etcd.history(before)) == []
    assert not witness.left_without_cause()


# Row 18. The catalogue proposes 10 s, but idle costs nothing (design.md, invariant 9): no poll is
# faster than RESYNC.
def test_an_engine_that_hangs_is_told(fleet: Fleet) -> None:
    fleet.h1.engine.pause()

    wait_for(
        lambda: "docker" in not_ready(fleet),
        TOLD_S,
        "docker-register says that the engine is silent",
    )


def not_ready(fleet: Fleet) -> str:
    """Return what h1's registrar says of itself while it is not ready; empty if it is."""
    reply = fleet.h1.get(REGISTER_PORT, "/readyz")
    return "" if reply.status == 200 else reply.text


# Row 20, five times instead of a hundred
def test_a_registrar_killed_again_and_again_deletes_nothing(
    fleet: Fleet, service: Service, witness: Witness
) -> None:
    service.run_on(fleet.h1, fleet.h2)
    before = fleet.etcd.revision()
    reloaded = [reloads(host) for host in fleet.hosts]

    with service.load(*fleet.hosts) as loads:
        for _ in range(5):
            fleet.h1.register.kill()
            fleet.h1.register.start()
            wait_for(lambda: fleet.h1.is_ready(REGISTER_PORT), 30, "docker-register is ready")
        settle(fleet)

    assert [load.lost() for load in loads] == [{}, {}, {}]
    history = fleet.etcd.history(before)
    assert deleted(history) == []
    assert [event for event in history if "/instances/" in event.key] == []
    assert [reloads(host) for host in fleet.hosts] == reloaded
    assert not witness.left_without_cause()
