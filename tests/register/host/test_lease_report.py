"""What the lease keeper reports, and how often."""

import logging

import pytest

from register.host.lease_report import LeaseReport
from sidecar.status.health import Health


def test_a_warning_is_logged_once_until_the_lease_is_confirmed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    report = LeaseReport(Health(stuck_after_s=60))

    report.not_owner("another registrar runs for this host")
    report.not_owner("another registrar runs for this host")
    assert len(caplog.records) == 1

    report.confirmed()
    report.not_owner("another registrar runs for this host")
    assert len(caplog.records) == 2


def test_a_host_that_is_not_ours_is_not_ready() -> None:
    health = Health(stuck_after_s=60)
    report = LeaseReport(health)

    report.not_owner("another registrar runs for this host")
    assert health.not_ready() == {"owner": "another registrar runs for this host"}

    report.confirmed()
    assert not health.not_ready()


@pytest.mark.parametrize(("is_identified", "fact"), [(True, "etcd"), (False, "host")])
def test_what_failed_depends_on_how_far_it_came(is_identified: bool, fact: str) -> None:
    health = Health(stuck_after_s=60)

    LeaseReport(health).failed("no answer", is_identified=is_identified)

    assert health.not_ready() == {fact: "no answer"}
