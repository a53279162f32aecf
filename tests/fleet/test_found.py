"""What `make chaos` found, each as a test of its own so that it stays mended."""

from concurrent.futures import ThreadPoolExecutor

from lab.calls import Reply
from lab.fleet import Fleet
from lab.wait import wait_for
from tests.parts.fleet.service import Service

SLOW_S = 1
CALLS = 4
GIVEN_UP_S = (
    4.5  # after four seconds without an answer to a keepalive probe; with five chaos lost a call
)


# Row 61. Seed 2, round 16: the request was acknowledged, so no timeout for what is not acknowledged
# ever ended it.
def test_a_call_that_a_dying_host_has_and_never_answers_goes_elsewhere(
    fleet: Fleet, service: Service
) -> None:
    service.run_on(fleet.h2, fleet.h3)

    def call(_: int) -> Reply:
        return fleet.h1.get(service.port, f"/slow?s={SLOW_S}", timeout_s=GIVEN_UP_S + SLOW_S)

    with ThreadPoolExecutor(CALLS) as pool:
        replies = [pool.submit(call, number) for number in range(CALLS)]
        wait_for(lambda: _under_way(fleet, service) >= CALLS, 5, "all calls are under way")
        fleet.h2.die()
        found = [reply.result() for reply in replies]

    assert [reply.status for reply in found] == [200] * CALLS


def _under_way(fleet: Fleet, service: Service) -> int:
    """Return how many calls wait for an instance of the service in h1's HAProxy."""
    rows = [line.split(",") for line in fleet.h1.ask_haproxy("show stat").splitlines()]
    return sum(
        int(row[4] or 0)
        for row in rows
        if row[0].startswith(f"{service.name}:") and "slot-" in row[1]
    )
