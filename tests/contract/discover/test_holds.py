"""Who has a port, a host name or a default name keeps it over its own restart, on every host.

All parts are real.
"""

import json
from pathlib import Path

from catalog.keys import HoldKey, key_of
from catalog.records.origin import of_compose
from catalog.records.record import Check
from discover.snapshot.holds import port_key
from tests.parts.backend import backend
from tests.parts.caller import Caller
from tests.parts.discover import discover_command, discovering, publish, withdraw
from tests.parts.etcd import Etcd, require_login
from tests.parts.haproxy import get, is_silent, wait_answered
from tests.parts.holds import holds_in, wait_held
from tests.parts.ports import free_port
from tests.parts.records import PREFIX, local
from tests.parts.wait import wait_for

# Written as gone this long after a holder left, and a second or two for the hosts to differ.
GONE_S = 20.0
# README: for ten minutes after its last instance went.
PROMISED_S = 600


def leased_for_s(etcd: Etcd, port: int) -> int:
    """Return how long etcd keeps the hold on a port from the moment that it was put there."""
    lease = json.loads(etcd.ctl("get", hold_of(port), "-w", "json"))["kvs"][0]["lease"]
    told = json.loads(etcd.ctl("lease", "timetolive", f"{lease:x}", "-w", "json"))
    return int(told["granted-ttl"])


def hold_of(port: int) -> str:
    return key_of(PREFIX, port_key(port))


def test_a_service_that_restarts_keeps_its_port_from_one_that_waits_for_it(
    tmp_path: Path, etcd: Etcd
) -> None:
    service_port = free_port()
    with (
        backend("alpha") as at_alpha,
        backend("beta") as at_beta,
        discovering(tmp_path / "d1", etcd.endpoint) as first,
        discovering(tmp_path / "d2", etcd.endpoint, "--bind", "127.0.0.2") as second,
    ):
        alpha = local(1, at_alpha, service_port, "alpha", mode="http")
        beta = local(2, at_beta, service_port, "beta", mode="http")
        publish(etcd, alpha)
        wait_answered(service_port, "alpha")
        wait_held(etcd, port_key(service_port), "alpha")
        publish(etcd, beta)
        first.wait_refused("PORT_CLAIMED", "belongs to alpha")
        second.wait_refused("PORT_CLAIMED", "belongs to alpha")

        with Caller(service_port) as calls:
            # Away for longer than the settling: beta gets nothing, and is told until when.
            withdraw(etcd, alpha)
            wait_for(lambda: is_silent(service_port), 10, "nobody answers")
            wait_for(
                lambda: holds_in(etcd)[port_key(service_port)].leased, GONE_S, "it is under a lease"
            )
            assert leased_for_s(etcd, service_port) >= PROMISED_S
            second.wait_refused("PORT_CLAIMED", "which has no instance now, until 20")
            assert is_silent(service_port)

            # Also for a docker-discover that never saw alpha.
            with discovering(tmp_path / "d3", etcd.endpoint, "--bind", "127.0.0.3") as third:
                third.wait_refused("PORT_CLAIMED", "belongs to alpha")
                assert "beta:" not in third.haproxy.config.read_text()

            publish(etcd, alpha)
            wait_answered(service_port, "alpha")
            wait_for(
                lambda: not holds_in(etcd)[port_key(service_port)].leased,
                10,
                "it is held for good again",
            )
        assert set(calls.replies) == {"alpha"}


def test_a_hold_ends_by_itself_and_the_one_that_waits_has_the_port_on_all_hosts(
    tmp_path: Path, etcd: Etcd
) -> None:
    service_port = free_port()
    flags = ("--hold-ttl", "10")
    with (
        backend("beta") as at_beta,
        discovering(tmp_path / "d1", etcd.endpoint, *flags),
        discovering(tmp_path / "d2", etcd.endpoint, "--bind", "127.0.0.2", *flags),
    ):
        alpha = local(1, free_port(), service_port, "alpha", mode="http", check=Check(kind="none"))
        publish(etcd, alpha)
        wait_held(etcd, port_key(service_port), "alpha")
        publish(etcd, local(2, at_beta, service_port, "beta", mode="http"))
        before = etcd.revision()

        withdraw(etcd, alpha)
        wait_held(etcd, port_key(service_port), "beta", GONE_S + 30)
        wait_answered(service_port, "beta")
        wait_answered(service_port, "beta", host="127.0.0.2")
        # alpha's record deleted, its hold put under a lease, ended, and beta's put
        assert etcd.revision() == before + 4


def test_a_port_is_freed_or_handed_over_at_once_by_command(tmp_path: Path, etcd: Etcd) -> None:
    service_port = free_port()
    with (
        backend("alpha") as at_alpha,
        backend("beta") as at_beta,
        discovering(tmp_path / "d1", etcd.endpoint) as discover,
    ):
        alpha = local(1, at_alpha, service_port, "alpha", mode="http")
        publish(etcd, alpha)
        wait_held(etcd, port_key(service_port), "alpha")
        publish(etcd, local(2, at_beta, service_port, "beta", mode="http"))
        discover.wait_refused("PORT_CLAIMED", "belongs to alpha")

        def command(*flags: str) -> tuple[int, str]:
            done = discover_command("--etcd-host", etcd.endpoint, *flags)
            return done.returncode, done.stdout + done.stderr

        status, said = command("--release", str(service_port))
        assert status == 1
        assert "belongs to alpha, which has instances" in said

        status, said = command("--hand-over", f"{service_port}=beta")
        assert status == 0
        assert f"service port {service_port} belongs to beta; alpha held it since" in said
        wait_answered(service_port, "beta")
        discover.wait_refused("PORT_CLAIMED", "belongs to beta since")

        command("--hand-over", f"{service_port}=alpha")
        wait_answered(service_port, "alpha")
        withdraw(etcd, alpha)
        wait_for(lambda: is_silent(service_port), 10, "nobody answers")
        status, said = command("--release", str(service_port))
        assert status == 0
        assert f"service port {service_port} is free" in said
        wait_answered(service_port, "beta")
        wait_held(etcd, port_key(service_port), "beta")

        assert command("--release", "1") == (
            1,
            "docker-discover: --release: nobody holds service port 1\n",
        )


def test_of_two_projects_one_has_the_name_and_the_other_is_told_which_label_to_add(
    tmp_path: Path, etcd: Etcd
) -> None:
    service_port = free_port()
    shop, blog = of_compose("shop", "db"), of_compose("blog", "db")
    with (
        backend("shop") as at_shop,
        backend("blog") as at_blog,
        backend("told") as at_told,
        discovering(tmp_path / "d1", etcd.endpoint) as discover,
    ):
        of_shop = local(1, at_shop, service_port, "db", mode="http", origin=shop)
        publish(etcd, of_shop)
        wait_held(etcd, HoldKey("name", "db"), shop)
        publish(etcd, local(2, at_blog, service_port, "db", mode="http", origin=blog))
        discover.wait_refused("NAME_TAKEN", "SERVICE_NAME=blog-db")
        assert {get(service_port)[1] for _ in range(6)} == {"shop"}

        withdraw(etcd, of_shop)
        wait_for(lambda: is_silent(service_port), 10, "nobody answers")
        told = local(3, at_told, service_port, "db", mode="http")
        publish(etcd, told, of_shop)
        wait_for(
            lambda: {get(service_port)[1] for _ in range(6)} == {"shop", "told"}, 10, "both answer"
        )


def test_who_may_not_write_holds_says_so_and_keeps_ports_here_for_a_while(tmp_path: Path) -> None:
    service_port = free_port()
    login = ("--etcd-user", "reader", "--etcd-password", "pass")
    with (
        Etcd(tmp_path / "etcd") as etcd,
        backend("alpha") as at_alpha,
        backend("beta") as at_beta,
    ):
        require_login(etcd, "reader", "read", "/services/")
        with discovering(tmp_path / "d1", etcd.endpoint, *login) as discover:
            alpha = local(1, at_alpha, service_port, "alpha", mode="http")
            publish(etcd, alpha)
            wait_answered(service_port, "alpha")
            discover.wait_refused("NOT_HELD", "permission denied")
            assert discover.ready()

            publish(etcd, local(2, at_beta, service_port, "beta", mode="http"))
            discover.wait_refused("PORT_CLAIMED", "belongs to alpha")
            withdraw(etcd, alpha)
            wait_for(lambda: is_silent(service_port), 10, "nobody answers")
            discover.wait_refused("PORT_CLAIMED", "belongs to alpha")
            publish(etcd, alpha)
            wait_answered(service_port, "alpha")
