"""A fleet of three hosts in good health: what starts on one is called from all, and what stops is
called by none.
"""

import pytest

from lab.fleet import Fleet
from lab.process import LabError
from tests.parts.fleet.invariants import Witness, deleted, settle
from tests.parts.fleet.service import FOLDER, Service


def test_a_container_on_one_host_is_called_from_all(
    fleet: Fleet, service: Service, witness: Witness
) -> None:
    one = service.run(fleet.h1)

    service.wait_answered_by(one)
    settle(fleet)
    assert not witness.backwards()


def test_containers_of_all_hosts_share_the_calls(fleet: Fleet, service: Service) -> None:
    ids = [service.run(host) for host in fleet.hosts]

    service.wait_answered_by(*ids)
    settle(fleet)


def test_a_stopped_container_drains_and_leaves_everywhere(
    fleet: Fleet, service: Service, witness: Witness
) -> None:
    one, other = service.run_on(fleet.h1, fleet.h2, DRAIN_S="1")
    before = fleet.etcd.revision()

    with service.load(*fleet.hosts) as loads:
        fleet.h1.engine.docker("stop", one)
        service.wait_answered_by(other)
        settle(fleet)

    assert [load.lost() for load in loads] == [{}, {}, {}]
    history = fleet.etcd.history(before)
    assert any('"state":"draining"' in event.value and one[:12] in event.key for event in history)
    assert [key for key in deleted(history) if one[:12] in str(key)] == deleted(history) != []
    assert not witness.left_without_cause(excused=[one])
    assert not witness.backwards()


def test_a_real_instance_takes_over_from_a_stub_on_every_host(
    fleet: Fleet, service: Service
) -> None:
    stub = service.run(fleet.h1, SERVICE_ROLE="stub")
    service.wait_answered_by(stub)

    with service.load(*fleet.hosts) as loads:
        real = service.run(fleet.h2, DRAIN_S="1")
        service.wait_answered_by(real)
        fleet.h2.engine.docker("stop", real)
        service.wait_answered_by(stub)

    assert [load.lost() for load in loads] == [{}, {}, {}]
    settle(fleet)


def test_a_second_fleet_in_the_same_folder_is_refused(fleet: Fleet) -> None:
    with pytest.raises(LabError, match="another process is using the fleet"), Fleet(FOLDER):
        pass

    assert fleet.stands()
