"""Host names and paths lead to no other service while theirs restarts. All parts are real."""

from discover.snapshot.holds import route_key
from tests.parts.backend import backend
from tests.parts.discover import publish, withdraw
from tests.parts.door import Door, opened, web
from tests.parts.etcd import Etcd
from tests.parts.holds import wait_held
from tests.parts.ports import free_port
from tests.parts.wait import wait_for

# What alpha has; without it, a wildcard or a shorter path of beta would answer.
OF_ALPHA = (("a.test", "/x"), ("b.test", "/x/y"), ("alpha.apps.test", "/"))


def wait_absent(door: Door, host: str, path: str) -> None:
    """Wait until nobody answers, and let no other service answer meanwhile."""

    answers: list[str] = []

    def is_absent() -> bool:
        status, text = door.get(host, path)
        answers.append(text)
        return status == 503

    wait_for(is_absent, 10, f"nobody answers at {host}{path}")
    assert "beta" not in answers, (host, path)


def test_no_other_service_answers_while_one_restarts(etcd: Etcd) -> None:
    with backend("alpha") as at_alpha, backend("beta") as at_beta, opened(etcd) as door:
        hosts = ("a.test", "b.test", "alpha.apps.test")
        alpha = web(1, "alpha", at_alpha, free_port(), hosts=("a.test", "b.test"), paths=("/x",))
        beta = web(2, "beta", at_beta, free_port(), hosts=(*hosts, "*.test", "*.apps.test"))

        publish(etcd, alpha)
        door.wait_answered("a.test", "alpha", "/x")
        wait_held(etcd, route_key("a.test/x/"), "alpha")
        wait_held(etcd, route_key("alpha.apps.test/"), "alpha")
        publish(etcd, beta)
        door.wait_answered("a.test", "beta", "/y")
        door.wait_answered("other.apps.test", "beta")
        wait_held(etcd, route_key("*.test/"), "beta")

        withdraw(etcd, alpha)
        for host, path in OF_ALPHA:
            wait_absent(door, host, path)

        # Also for a docker-discover and a HAProxy that know nothing of alpha but its holds.
        door.stop()
        door.haproxy.end()
        for file in ("listeners", "snapshot", "haproxy.cfg"):
            (door.folder / file).unlink(missing_ok=True)
        door.start()
        door.wait_ready()
        for host, path in OF_ALPHA:
            wait_absent(door, host, path)
        assert door.get("a.test", "/y") == (200, "beta")

        publish(etcd, alpha)
        for host, path in OF_ALPHA:
            door.wait_answered(host, "alpha", path)
