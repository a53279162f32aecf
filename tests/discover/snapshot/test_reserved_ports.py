"""Records that did not ask for their own port, as it is one of the host's."""

from dataclasses import replace

import pytest

from catalog.records.record import Instance
from catalog.values.reserved_ports import port_set
from discover.model.build import build
from discover.model.http_routes import door_map
from discover.model.proxy_config import HostPolicy
from discover.snapshot.port_claims import AtDoor, wanted
from tests.parts.configs import AT_DOOR, POLICY
from tests.parts.records import instance, snapshot

RESERVED = instance(1, "web", service_port=None, container_port=80, port_reserved=True)
AT_HOST = replace(RESERVED, mode="http", hosts=("web.example",))


@pytest.mark.parametrize(
    ("record", "door", "needs"),
    [
        (RESERVED, None, True),
        (RESERVED, AtDoor("apps.example"), True),
        (AT_HOST, None, True),
        (AT_HOST, AtDoor(""), False),
        (replace(AT_HOST, hosts=()), AtDoor(""), True),
        (replace(AT_HOST, hosts=()), AtDoor("apps.example"), False),
        # it asked for one, by SERVICE_PORT=auto
        (replace(AT_HOST, port_reserved=False), AtDoor(""), True),
    ],
)
def test_a_number_is_claimed_unless_the_door_leads_there(
    record: Instance, door: AtDoor | None, needs: bool
) -> None:
    catalog = snapshot(record)

    assert wanted(catalog, catalog, door=door).portless == ({"web"} if needs else set())


def test_it_has_the_port_that_another_instance_of_its_service_asks_for() -> None:
    asking = instance(2, "web", service_port=80, container_port=80)
    catalog = snapshot(RESERVED, asking)

    config, problems = build(catalog, POLICY)

    (listener,) = config.listeners
    assert (listener.port, len(listener.servers), problems) == (80, 2, {})
    assert wanted(catalog, catalog).portless == set()


def test_the_door_leads_to_it_without_a_port_and_without_a_word() -> None:
    config, problems = build(snapshot(AT_HOST), AT_DOOR)

    assert door_map(config)["web.example/"] == "web:0:door"
    assert problems == {}


@pytest.mark.parametrize("policy", [POLICY, AT_DOOR])
def test_a_host_can_refuse_what_a_record_asks_for(policy: HostPolicy) -> None:
    refusing = replace(policy, reserved=port_set("22"))
    records = (instance(1, "git", service_port=22), instance(2, "web", service_port=8000))

    config, problems = build(snapshot(*records), refusing)

    assert [listener.service for listener in config.listeners if listener.binds] == ["web"]
    assert problems["git:22"].code == "PORT_RESERVED"
    assert "RESERVED_PORTS of docker-discover" in problems["git:22"].text
