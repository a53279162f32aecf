"""What the adapter promises, on real HAProxies: the machine's, and the one in the image."""

import contextlib
import http.client
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from catalog.errors import Rejected, Unavailable
from catalog.records.record import Check
from discover.haproxy.ports import bridge_gateway, trial
from discover.haproxy.replies import Mismatch
from discover.model.proxy_config import Bind
from discover.text.marker import marker_of
from discover.text.render import rendered_of
from discover.text.sample import sample
from discover.text.slots import FEWEST_FREE
from tests.parts.backend import backend
from tests.parts.configs import config_of
from tests.parts.haproxy import KINDS, RealHAProxy, get, running
from tests.parts.haproxy_site import Site
from tests.parts.ports import free_port
from tests.parts.records import instance, local, snapshot
from tests.parts.wait import wait_for


@pytest.fixture(params=KINDS)
def haproxy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RealHAProxy]:
    tmp_path.chmod(0o755)
    with running(tmp_path, request.param) as real:
        yield real


@pytest.fixture
def site(haproxy: RealHAProxy) -> Site:
    return Site(haproxy)


def test_a_first_configuration_starts_it_and_answers(site: Site) -> None:
    port = free_port()
    with backend("one") as one:
        rendered = site.reload(local(1, one, port))

        assert site.haproxy.adapter.marker() == rendered.marker
        assert get(port) == (200, "one")
        assert get(site.stats)[0] == 200
        assert "haproxy_process_" in get(site.stats, "/metrics")[1]


def test_a_reload_is_confirmed_when_the_new_worker_answers(site: Site) -> None:
    port = free_port()
    with backend("one") as one, backend("two") as two:
        site.reload(local(1, one, port))
        for number in range(
            2, 7
        ):  # the marker is checked, so each must be what runs when replace() returns
            rendered = site.reload(local(number, two, port))

            assert site.haproxy.adapter.marker() == rendered.marker
            assert marker_of(site.haproxy.config.read_text()) == rendered.marker
            assert get(port) == (200, "two")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_idle_client_of_an_old_worker_is_served_as_the_new_one_knows(
    site: Site, method: str
) -> None:
    port = free_port()
    with backend("one") as one, backend("two") as two:
        before = local(1, one, port, mode="http")
        site.reload(before)
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.closing(client):
            assert ask(client, method) == (200, "one")

            other = local(3, free_port(), free_port(), "other")
            site.reload(before, other)
            site.update(local(2, two, port, mode="http"), other)

            assert ask(client, method) == (200, "two")


def ask(client: http.client.HTTPConnection, method: str) -> tuple[int, str]:
    client.request(method, "/", body=b"x" * 10_000 if method == "POST" else None)
    answer = client.getresponse()
    return answer.status, answer.read().decode()


def test_a_refused_text_changes_nothing_and_is_kept_to_be_read(site: Site) -> None:
    port = free_port()
    with backend("one") as one:
        good = site.reload(local(1, one, port))
        bad = rendered_of(good.rendered.text.replace("balance roundrobin", "balance nonsense"))

        with pytest.raises(
            Rejected,
            match=(
                r"HAProxy refuses the configuration: parsing .*haproxy.cfg.candidate:\d+. : "
                r"balance only"
            ),
        ):
            site.applier.reload(good, bad)

        assert good.marker

        assert site.haproxy.config.read_text() == good.rendered.marked(good.marker)
        assert (site.haproxy.folder / "haproxy.cfg.candidate").read_text().endswith(bad.text[-200:])
        assert site.haproxy.adapter.marker() == good.marker
        assert get(port) == (200, "one")


def test_a_reload_that_fails_puts_the_last_good_file_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("discover.apply.applier.CONFIRM_S", 4.0)
    port = free_port()
    with backend("one") as one, socket.create_server(("127.0.0.1", 0)) as taken:
        good = site.reload(local(1, one, port))

        with pytest.raises(
            (Rejected, Unavailable)
        ):  # HAProxy's own check does not bind, so this passes it
            site.reload(local(1, one, taken.getsockname()[1]))

        assert good.marker

        assert site.haproxy.config.read_text() == good.rendered.marked(good.marker)
        assert site.haproxy.adapter.marker() == good.marker
        wait_for(lambda: get(port) == (200, "one"), 5, "the old worker goes on")


def test_an_earlier_life_is_recognised_by_its_marker_and_its_servers(site: Site) -> None:
    port = free_port()
    with backend("one") as one:
        good = site.reload(local(1, one, port))
        assert Site(site.haproxy).applier.worker(None) == good

        site.haproxy.adapter.ask(f"@1 set server whoami:{port}/slot-1 weight 7")
        assert Site(site.haproxy).applier.worker(None) is None

        site.haproxy.adapter.ask(f"@1 set server whoami:{port}/slot-1 weight 100")
        text = site.haproxy.config.read_text()
        site.haproxy.config.write_text(text.replace(str(good.marker), "f" * 12))
        assert Site(site.haproxy).applier.worker(None) is None


def test_a_reload_of_the_same_text_has_another_marker_also_if_nobody_knows_what_runs(
    site: Site,
) -> None:
    with backend("one") as one:
        first = site.reload(local(1, one, free_port()))

        again = Site(site.haproxy).applier.reload(None, first.rendered)

        assert again.marker != first.marker
        assert site.haproxy.adapter.marker() == again.marker


def test_a_dead_haproxy_is_started_again_from_its_file(site: Site) -> None:
    port = free_port()
    with backend("one") as one:
        good = site.reload(local(1, one, port))
        site.haproxy.kill()
        wait_for(lambda: not site.haproxy.pids(), 10, "HAProxy is gone")

        assert site.applier.worker(good) == good

        assert get(port) == (200, "one")


def test_nothing_runs_and_nothing_is_on_disk(site: Site) -> None:
    assert site.applier.worker(None) is None


def test_what_every_label_can_ask_for_passes_the_check_without_a_warning(site: Site) -> None:
    candidate = site.applier.check(site.layout.render(sample(site.policy.process)))

    done = subprocess.run(
        [site.haproxy.binary, "-c", "-f", candidate], capture_output=True, text=True, check=True
    )
    assert "WARNING" not in done.stderr + done.stdout


@pytest.mark.parametrize("mode", ["tcp", "http"])
def test_servers_come_go_drain_and_move_without_a_reload(site: Site, mode: str) -> None:
    port = free_port()
    with backend("one") as one, backend("two") as two, backend("moved") as moved:
        first, second = local(1, one, port, mode=mode), local(2, two, port, mode=mode)
        site.reload(first)
        pids = site.haproxy.pids()

        site.update(first, second)
        assert {get(port)[1] for _ in range(8)} == {"one", "two"}
        assert site.file_is_what_runs()

        site.update(replace(first, state="draining"), second)
        assert {get(port)[1] for _ in range(8)} == {"two"}
        assert site.file_is_what_runs()

        site.update(second)
        assert {get(port)[1] for _ in range(8)} == {"two"}
        assert site.file_is_what_runs()

        # the same container started again, on another port of the host
        site.update(replace(first, port=moved, weight=50), second)
        assert {get(port)[1] for _ in range(8)} == {"moved", "two"}
        site.update(replace(first, weight=50), second)
        assert {get(port)[1] for _ in range(8)} == {"one", "two"}
        assert site.file_is_what_runs()

        assert site.haproxy.pids() == pids


def test_who_comes_at_runtime_is_checked_as_the_file_says(site: Site) -> None:
    """In a slot, and late. It is taken for up at once; its first two failed checks take it out."""
    port = free_port()
    with backend("one") as one:
        first = local(1, one, port, mode="http", check=Check("http", "/", interval_ms=200))
        site.reload(first)

        dead = [
            local(number, free_port(), port, mode="http", check=first.check)
            for number in range(2, 3 + FEWEST_FREE)
        ]
        site.update(first, *dead)

        for each in dead:
            wait_for(partial(site.is_down, port, each), 10, "a dead one is down")


@pytest.mark.parametrize(("panic", "status"), [("on", 200), ("off", 503)])
def test_when_all_http_checks_fail_calls_go_on_unless_told_otherwise(
    site: Site, panic: str, status: int
) -> None:
    port = free_port()
    check = Check("http", "/fail", interval_ms=200)
    failing = partial(local, mode="http", check=check, panic=panic)
    with backend("one") as one, backend("two") as two:
        first, second = failing(1, one, port), failing(2, two, port)
        site.reload(first)
        wait_for(lambda: site.is_down(port, first), 10, "its check fails")
        assert get(port)[0] == status

        site.update(first, second)
        wait_for(lambda: site.is_down(port, second), 10, "its check fails")
        assert {get(port)[0] for _ in range(8)} == {status}
        assert site.file_is_what_runs()

        site.update(replace(first, state="draining"), second)
        assert {get(port) for _ in range(8)} == {(200, "two")} or panic == "off"
        site.update(second)
        assert get(port)[0] == status
        assert site.file_is_what_runs()


def test_what_haproxy_does_not_take_is_a_mismatch_and_the_file_stays(site: Site) -> None:
    port = free_port()
    with backend("one") as one:
        first = local(1, one, port)
        site.reload(first)
        before = site.haproxy.config.read_text()
        many = [local(number, one + number, port) for number in range(2, 5)]
        # somebody else's server has the name already that the one without a free slot gets
        site.haproxy.adapter.ask(f"@1 add server whoami:{port}/slot-4 127.0.0.1:9")

        with pytest.raises(Mismatch):
            site.update(first, *many)

        assert site.haproxy.config.read_text() == before


def test_servers_that_a_full_disk_kept_out_of_the_file_are_owed_to_it(site: Site) -> None:
    port = free_port()
    with backend("one") as one, backend("two") as two:
        kept, added = local(1, one, port), local(2, two, port)
        site.reload(kept)
        before = site.haproxy.config.read_text()
        # Stands for a disk without space: the next text cannot be written beside the file.
        (in_the_way := site.haproxy.config.with_name("haproxy.cfg.new")).mkdir()

        site.update(kept, added)
        site.update(added)
        assert {get(port)[1] for _ in range(4)} == {"two"}
        assert site.applier.owes
        assert site.haproxy.config.read_text() == before
        with pytest.raises(Unavailable):
            site.applier.settle()

        in_the_way.rmdir()
        site.applier.settle()
        assert not site.applier.owes
        assert site.file_is_what_runs()


def test_a_haproxy_that_restarts_from_a_file_that_is_behind_is_known_by_it(site: Site) -> None:
    port = free_port()
    with backend("one") as one, backend("two") as two:
        kept, added = local(1, one, port), local(2, two, port)
        good = site.reload(kept)
        (in_the_way := site.haproxy.config.with_name("haproxy.cfg.new")).mkdir()
        site.update(kept, added)
        site.haproxy.kill()
        wait_for(lambda: not site.haproxy.pids(), 10, "HAProxy is gone")

        site.running = site.applier.worker(site.running)

        assert site.running == good
        in_the_way.rmdir()
        site.update(kept, added)
        assert {get(port)[1] for _ in range(4)} == {"one", "two"}


def test_changes_at_runtime_under_load_lose_nothing(site: Site) -> None:
    port, stop = free_port(), threading.Event()
    failures: list[str] = []

    def load() -> None:
        while not stop.is_set():
            try:
                if (answer := get(port))[0] != 200:
                    failures.append(str(answer))
            except OSError as error:
                failures.append(repr(error))

    with backend("one") as one, backend("two") as two:
        base = local(1, one, port)
        site.reload(base)
        threads = [threading.Thread(target=load) for _ in range(2)]
        for thread in threads:
            thread.start()
        for number in range(2, 60):
            other = local(number % 7 + 2, two, port)
            site.update(base, other)
            site.update(base, replace(other, state="draining"))
            site.update(base)
        stop.set()
        for thread in threads:
            thread.join()

    assert failures == []


def test_reloads_under_load_lose_nothing(site: Site) -> None:
    """Connections of their own and one kept alive, while the servers change at every reload."""
    port, stop = free_port(), threading.Event()
    failures: list[str] = []
    done = [0]

    def load() -> None:
        while not stop.is_set():
            try:
                status, body = get(port)
                if status != 200 or body not in ("one", "two"):
                    failures.append(f"{status} {body}")
                done[0] += 1
            except OSError as error:
                failures.append(repr(error))

    with backend("one") as one, backend("two") as two:
        site.reload(local(1, one, port, mode="http"))
        threads = [threading.Thread(target=load) for _ in range(2)]
        for thread in threads:
            thread.start()
        for number in range(2, 12):
            site.reload(local(number, one if number % 2 else two, port, mode="http"))
            enough = done[0] + 5
            wait_for(lambda: done[0] > enough, 10, "requests go on")  # noqa: B023  it ends here
        stop.set()
        for thread in threads:
            thread.join()

    assert failures == []
    assert done[0] > 50


def test_haproxy_that_cannot_be_run_is_unavailable(tmp_path: Path) -> None:
    real = RealHAProxy(tmp_path, "machine")
    site = Site(real)
    site.applier._haproxy._binary = "/nowhere/haproxy"

    with pytest.raises(Unavailable, match="cannot run /nowhere/haproxy: No such file"):
        site.reload(instance(1))


def test_a_silent_master_is_unavailable_in_time(tmp_path: Path) -> None:
    """A stopped HAProxy: its kernel accepts, nobody answers."""
    real = RealHAProxy(tmp_path, "machine")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(real.master))
        silent.listen()
        started = time.monotonic()

        with pytest.raises(Unavailable, match="does not answer"):
            real.adapter.ask("show proc", answer_s=0.3)

        assert time.monotonic() - started < 3


class TestTrial:
    def test_a_free_address_can_be_used_and_is_reserved(self) -> None:
        bind = Bind("127.0.0.1", free_port())

        with trial([bind]) as unusable:
            assert unusable == {}
            with pytest.raises(OSError, match="in use"):
                socket.create_server(("127.0.0.1", bind.port))

        socket.create_server(("127.0.0.1", bind.port)).close()

    def test_a_port_that_another_program_holds_cannot_be_used(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            bind = Bind("127.0.0.1", taken.getsockname()[1])

            with trial([bind]) as unusable:
                assert unusable == {bind: "another program on this host holds the port"}

    def test_a_wildcard_holds_every_address(self) -> None:
        with socket.create_server(("0.0.0.0", 0)) as taken:
            bind = Bind("127.0.0.1", taken.getsockname()[1])

            with trial([bind]) as unusable:
                assert bind in unusable

    def test_an_address_of_another_host_cannot_be_used(self) -> None:
        bind = Bind("192.0.2.1", free_port())

        with trial([bind]) as unusable:
            assert unusable == {bind: "this host has no such address"}

    def test_haproxys_own_listener_is_no_obstacle(self, site: Site) -> None:
        port = free_port()
        with backend("one") as one:
            site.reload(local(1, one, port))

            with trial([Bind("127.0.0.1", port), Bind("127.0.0.1", site.stats)]) as unusable:
                assert unusable == {}
                assert get(port) == (200, "one")

    def test_haproxy_binds_beside_a_reservation(self, site: Site) -> None:
        port = free_port()
        with backend("one") as one, trial([Bind("127.0.0.1", port)]):
            site.reload(local(1, one, port))

            assert {get(port) for _ in range(20)} == {(200, "one")}

    def test_no_bridge_no_gateway(self) -> None:
        assert bridge_gateway("nosuchif0") is None
        assert bridge_gateway("lo") == "127.0.0.1"


def test_haproxys_own_check_does_not_find_an_address_of_another_host(site: Site) -> None:
    """The reason why addresses are tried before a reload: if this fails one day, the trial
    can go.
    """
    policy = replace(site.policy, hosts=("127.0.0.1", "192.0.2.1"))
    candidate = site.haproxy.folder / "c.cfg"
    config = config_of(snapshot(instance(1)), policy)
    candidate.write_text(site.layout.render(config).text)

    site.haproxy.adapter.check(candidate)
