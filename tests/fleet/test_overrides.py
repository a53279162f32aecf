"""A host is drained from another one: no call is lost, and who starts there gets none."""

from ctl import ends
from lab.fleet import Fleet
from tests.parts.fleet.invariants import settle
from tests.parts.fleet.service import Service
from tests.parts.fleet.tandem import tandem


def test_a_host_is_drained_from_another_under_load_and_comes_back(
    fleet: Fleet, service: Service
) -> None:
    on_h1, on_h2 = service.run_on(fleet.h1, fleet.h2)
    host = f"host/{fleet.h1.name}"

    with service.load(*fleet.hosts) as loads:
        words = ("drain", host, "--why", "new disk", "--wait", "--timeout", "10s")
        said = tandem(fleet, fleet.h3, *words)
        assert said.status == ends.DONE, said
        assert f"{host}  drained on 3 of 3 hosts, 1 instance of {service.name}" in said.out
        service.wait_answered_by(on_h2)

        late = service.run(fleet.h1)
        settle(fleet)
        service.wait_answered_by(on_h2)

        refused = tandem(fleet, fleet.h2, "drain", f"host/{fleet.h2.name}")
        assert refused.status == ends.GUARD, refused
        assert f"without a real instance: {service.name} (its only one)" in refused.err

        assert tandem(fleet, fleet.h2, "undrain", host).status == ends.DONE
        service.wait_answered_by(on_h1, on_h2, late)

    assert [load.lost() for load in loads] == [{}, {}, {}]
