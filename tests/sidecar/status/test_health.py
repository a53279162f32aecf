"""Which facts hold, and which loops turn."""

import pytest

from sidecar.status.health import NOT_YET, Health


def test_what_is_expected_is_not_ready_until_it_is_good(caplog: pytest.LogCaptureFixture) -> None:
    health = Health(stuck_after_s=60)
    health.expect("etcd", "docker")
    health.good("docker")
    assert health.not_ready() == {"etcd": NOT_YET}

    health.bad("etcd", "connection refused")
    assert health.not_ready() == {"etcd": "connection refused"}

    with caplog.at_level("INFO"):
        health.good("etcd")
    assert health.not_ready() == {}
    assert caplog.messages == ["etcd works again"]


def test_a_loop_that_stopped_turning_is_stuck() -> None:
    health = Health(stuck_after_s=-1)
    assert health.stuck() == {}

    health.turned("publisher")
    assert health.stuck() == {"publisher": "no progress for 0 s"}

    health.rests("publisher")
    assert health.stuck() == {}
