"""docker-discover as a whole: a real etcd before it, a real HAProxy behind it."""

import os
import shutil
import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from discover.settings import TEMPLATE
from tests.parts.backend import backend
from tests.parts.discover import Discover, publish, withdraw
from tests.parts.etcd import Etcd
from tests.parts.haproxy import get
from tests.parts.ports import free_port
from tests.parts.records import entry, instance, local
from tests.parts.wait import wait_for


@pytest.fixture
def discover(tmp_path: Path, etcd: Etcd) -> Iterator[Discover]:
    (folder := tmp_path / "discover").mkdir()
    tmp_path.chmod(0o755)
    shutil.copy(TEMPLATE, folder / "haproxy.cfg.j2")
    with Discover(folder, etcd.endpoint, "--template", str(folder / "haproxy.cfg.j2")) as it:
        yield it


def serve(
    etcd: Etcd,
    discover: Discover,
    number: int,
    port: int,
    service_port: int,
    service: str = "whoami",
) -> None:
    """Publish one instance, and return when it answers and discover has said so."""
    publish(etcd, local(number, port, service_port, service))
    wait_for(lambda: get(service_port)[0] == 200, 15, f"{service} answers")
    discover.wait_said(f"{service}:{service_port}")


def answers(port: int) -> set[str]:
    return {get(port)[1] for _ in range(8)}


def test_instances_come_and_go(etcd: Etcd, discover: Discover) -> None:
    port = free_port()
    with backend("one") as one, backend("two") as two:
        first, second = local(1, one, port), local(2, two, port)

        publish(etcd, first, second)
        wait_for(lambda: answers(port) == {"one", "two"}, 10, "both answer")

        publish(etcd, local(1, one, port, state="draining"))
        wait_for(lambda: answers(port) == {"two"}, 10, "a draining one gets nothing new")

        withdraw(etcd, first)
        publish(etcd, local(3, one, port))
        wait_for(lambda: answers(port) == {"one", "two"}, 10, "a new one joins")


def test_the_same_catalog_makes_no_reload(etcd: Etcd, discover: Discover) -> None:
    port = free_port()
    with backend("one") as one, backend("two") as two:
        serve(etcd, discover, 1, one, port)
        before = discover.reloads()

        publish(etcd, local(1, one, port))
        serve(etcd, discover, 2, two, free_port(), "other")

        assert discover.reloads() == before + 1


def test_haproxy_goes_on_when_it_is_killed_and_is_found_again(
    etcd: Etcd, discover: Discover
) -> None:
    port, later = free_port(), free_port()
    with backend("one") as one, backend("two") as two:
        serve(etcd, discover, 1, one, port)
        pids, reloads = discover.haproxy.pids(), discover.reloads()

        discover.kill()
        assert get(port) == (200, "one")
        publish(etcd, local(2, two, later, "later"))
        discover.start()

        wait_for(lambda: get(later)[1] == "two", 10, "what changed meanwhile is applied")
        discover.wait_said(f"new listen later:{later}")
        # Not at once: a master that executes itself anew has no name for a moment.
        wait_for(lambda: discover.haproxy.pids()[0] == pids[0], 5, "it is the same master")
        assert discover.reloads() == reloads + 1


def test_a_restart_without_a_change_reloads_nothing(etcd: Etcd, discover: Discover) -> None:
    port = free_port()
    with backend("one") as one:
        serve(etcd, discover, 1, one, port)
        reloads, pids = discover.reloads(), discover.haproxy.pids()

        assert discover.stop() == 0
        assert get(port) == (200, "one")
        discover.start()
        discover.wait_ready()

        assert (discover.reloads(), discover.haproxy.pids()) == (reloads, pids)


def test_a_port_that_is_taken_while_haproxy_is_away_costs_only_its_own_service(
    etcd: Etcd, discover: Discover
) -> None:
    port, lost = free_port(), free_port()
    with backend("one") as one, backend("two") as two:
        serve(etcd, discover, 1, one, port)
        serve(etcd, discover, 2, two, lost, "lost")
        # A round without a new port: that of the reload, which keeps its ports reserved to its end,
        # is over.
        publish(etcd, local(1, one, port, weight=7))
        discover.wait_said("~000000000001")
        os.kill(
            discover.pid(), signal.SIGSTOP
        )  # so that the port is gone before anybody starts HAProxy again
        discover.haproxy.kill()
        wait_for(lambda: not discover.haproxy.pids(), 10, "HAProxy is gone")
        # A process that is killed loses its name a moment before its sockets.
        with wait_for(lambda: socket.create_server(("127.0.0.1", lost)), 10, "its port is free"):
            os.kill(discover.pid(), signal.SIGCONT)

            wait_for(lambda: get(port) == (200, "one"), 40, "the other service is back")
            discover.wait_said(f"lost has no listener on 127.0.0.1:{lost}")


def test_a_socket_that_went_while_nobody_looked_is_made_anew(
    etcd: Etcd, discover: Discover
) -> None:
    port, later = free_port(), free_port()
    with backend("one") as one, backend("two") as two:
        serve(etcd, discover, 1, one, port)
        pids = discover.haproxy.pids()
        discover.kill()
        discover.haproxy.master.unlink()

        discover.start()
        publish(etcd, local(2, two, later, "later"))

        wait_for(lambda: get(later) == (200, "two"), 30, "changes reach HAProxy again")
        # Not at once: a master that executes itself anew has no name for a moment.
        wait_for(lambda: discover.haproxy.pids()[0] == pids[0], 5, "it is the same master")


def test_a_full_disk_keeps_no_change_from_callers(etcd: Etcd, discover: Discover) -> None:
    port = free_port()
    with backend("one") as one, backend("two") as two:
        first, second = local(1, one, port), local(2, two, port)
        publish(etcd, first, second)
        wait_for(lambda: answers(port) == {"one", "two"}, 15, "both answer")
        discover.wait_ready()
        # Stands for a disk without space: no text can be written beside these files.
        names = ("haproxy.cfg", "haproxy.cfg.candidate", "snapshot", "listeners")
        in_the_way = [discover.folder / f"{name}.new" for name in names]
        for path in in_the_way:
            path.mkdir()

        withdraw(etcd, first)
        wait_for(lambda: answers(port) == {"two"}, 10, "who left is called no more")
        publish(etcd, local(3, one, free_port(), "new"))  # a reload, which has to wait
        wait_for(
            lambda: get(discover.metrics, "/readyz")[0] == 503,
            10,
            "it says that something is wrong",
        )
        publish(etcd, first)
        wait_for(lambda: answers(port) == {"one", "two"}, 10, "changes go on")

        for path in in_the_way:
            path.rmdir()
        wait_for(discover.ready, 15, "all is well once there is room")


def test_services_that_emptied_while_nobody_looked_keep_their_ports(
    etcd: Etcd, discover: Discover
) -> None:
    ports = [free_port(), free_port()]
    with backend("one") as one, backend("two") as two:
        first, second = local(1, one, ports[0]), local(2, two, ports[1], "other")
        publish(etcd, first, second)
        wait_for(lambda: [get(port)[0] for port in ports] == [200, 200], 15, "both answer")
        withdraw(etcd, first)
        wait_for(lambda: closes_at_once(ports[0]), 10, "it has no instance")
        assert discover.stop() == 0
        withdraw(etcd, second)

        discover.start()
        discover.wait_ready()

        wait_for(lambda: closes_at_once(ports[1]), 10, "the other has no instance")
        assert closes_at_once(ports[0])


def closes_at_once(port: int) -> bool:
    """Whether somebody accepts and closes; raises ConnectionRefusedError where nobody listens."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as caller:
        caller.settimeout(5)
        try:
            return caller.recv(1) == b""
        except ConnectionResetError:
            return True


def test_a_killed_haproxy_is_back_with_the_last_configuration(
    etcd: Etcd, discover: Discover
) -> None:
    port = free_port()
    with backend("one") as one:
        serve(etcd, discover, 1, one, port)

        discover.haproxy.kill()

        wait_for(lambda: get(port)[1] == "one", 10, "HAProxy is back")


def test_etcd_away_changes_nothing_and_its_return_is_noticed(
    etcd: Etcd, discover: Discover
) -> None:
    port, later = free_port(), free_port()
    with backend("one") as one, backend("two") as two:
        serve(etcd, discover, 1, one, port)
        reloads = discover.reloads()

        etcd.kill()
        wait_for(
            lambda: get(discover.metrics, "/readyz")[0] == 503, 15, "it is not ready without etcd"
        )
        assert get(port) == (200, "one")
        assert "etcd" in get(discover.metrics, "/readyz")[1]
        etcd.start()
        discover.wait_ready()
        assert discover.reloads() == reloads

        publish(etcd, local(2, two, later, "later"))
        wait_for(lambda: get(later)[1] == "two", 15, "changes are seen again")


def test_it_starts_from_its_file_when_etcd_is_away(etcd: Etcd, discover: Discover) -> None:
    port = free_port()
    with backend("one") as one:
        serve(etcd, discover, 1, one, port)
        discover.end()
        etcd.kill()

        discover.start()

        wait_for(lambda: get(port)[1] == "one", 10, "the last good configuration serves")


def test_a_bad_record_is_refused_alone_and_told(etcd: Etcd, discover: Discover) -> None:
    port = free_port()
    with backend("one") as one:
        etcd.ctl(
            "put",
            "/services/v1/hosts/h1/instances/evil/00000000000a:1",
            '{"v":1,"service":"a\\n  bind *:22"}',
        )
        publish(etcd, local(1, one, port))

        wait_for(lambda: get(port)[1] == "one", 10, "the good one answers")
        discover.wait_said("record skipped")
        assert '"code": "BAD_RECORD"' in get(discover.metrics, "/explain")[1]
        assert discover.log.count("record skipped") == 1


def test_a_taken_port_costs_only_its_own_service(etcd: Etcd, discover: Discover) -> None:
    free, other = free_port(), free_port()
    with (
        backend("one") as one,
        backend("two") as two,
        socket.create_server(("127.0.0.1", 0)) as held,
    ):
        taken = held.getsockname()[1]
        publish(
            etcd, local(1, one, free), local(2, 9, taken, "late"), local(3, two, other, "other")
        )

        wait_for(lambda: get(other)[1] == "two", 10, "the others answer")
        discover.wait_said(
            f"late has no listener on 127.0.0.1:{taken}: another program on this host holds "
            "the port"
        )
        assert get(free) == (200, "one")
        assert "Paused" not in discover.log


def test_the_oldest_service_keeps_its_port(etcd: Etcd, discover: Discover) -> None:
    port = free_port()
    with backend("one") as one, backend("two") as two:
        serve(etcd, discover, 1, one, port)

        publish(etcd, local(2, two, port, "intruder"))
        discover.wait_said(f"service port {port} belongs to whoami")
        assert answers(port) == {"one"}


def test_an_unknown_worker_is_never_given_an_empty_configuration(
    etcd: Etcd, discover: Discover
) -> None:
    """Killed between a runtime command and the file, restarted while etcd is away: what runs is all
    there is.
    """
    port = free_port()
    with backend("one") as one:
        serve(etcd, discover, 1, one, port)
        discover.kill()
        etcd.kill()
        discover.haproxy.adapter.ask(f"@1 set server whoami:{port}/slot-1 weight 7")

        discover.start()

        discover.wait_said("HAProxy's servers differ from its file")
        discover.wait_said("etcd unavailable")
        assert get(port) == (200, "one")
        etcd.start()
        discover.wait_ready()
        assert get(port) == (200, "one")
        answer = discover.haproxy.adapter.ask(f"@1 show servers state whoami:{port}")
        assert " 100 " in answer.splitlines()[2]


def test_a_file_that_cannot_run_any_more_is_replaced_by_one_that_can(
    etcd: Etcd, discover: Discover
) -> None:
    port, lost = free_port(), free_port()
    with backend("one") as one, backend("two") as two:
        serve(etcd, discover, 1, one, port)
        serve(etcd, discover, 2, two, lost, "lost")
        discover.end()

        with socket.create_server(("127.0.0.1", lost)):
            discover.start()

            wait_for(lambda: get(port) == (200, "one"), 30, "the others serve")
            discover.wait_said(f"lost has no listener on 127.0.0.1:{lost}")


def test_a_port_that_was_never_ours_is_not_taken_when_its_service_leaves(
    etcd: Etcd, discover: Discover
) -> None:
    other = free_port()
    with (
        backend("one") as one,
        backend("two") as two,
        socket.create_server(("127.0.0.1", 0)) as held,
    ):
        taken = held.getsockname()[1]
        publish(etcd, local(1, one, taken, "late"))
        discover.wait_said("late has no listener")

        withdraw(etcd, local(1, one, taken, "late"))
        discover.wait_said("no longer refused")
        held.close()
        serve(etcd, discover, 2, two, other, "other")

        socket.create_server(("127.0.0.1", taken)).close()


def test_a_roll_keeps_the_port_of_its_service(etcd: Etcd, discover: Discover) -> None:
    port = free_port()
    with backend("old") as old, backend("new") as new, backend("squatter") as squatter:
        serve(etcd, discover, 1, old, port)
        publish(etcd, local(2, squatter, port, "squatter"))
        discover.wait_said("belongs to whoami")

        publish(etcd, local(3, new, port))
        wait_for(lambda: answers(port) == {"old", "new"}, 10, "both answer")
        withdraw(etcd, local(1, old, port))

        wait_for(lambda: answers(port) == {"new"}, 10, "the new one answers alone")


def test_one_container_under_two_hosts_breaks_nothing(etcd: Etcd, discover: Discover) -> None:
    port, other = free_port(), free_port()
    with backend("old") as old, backend("new") as new, backend("two") as two:
        serve(etcd, discover, 1, old, port)
        moved = entry(local(1, new, port), host="h2")
        etcd.ctl("put", moved.key, moved.value.decode())

        wait_for(lambda: answers(port) == {"new"}, 10, "the newer record counts")
        serve(etcd, discover, 2, two, other, "other")
        discover.haproxy.adapter.check(discover.haproxy.config)


def test_what_haproxy_spells_otherwise_makes_no_endless_reload(
    etcd: Etcd, discover: Discover
) -> None:
    publish(etcd, instance(1, address="::1.2.3.4", service_port=free_port()))
    discover.wait_said("new listen whoami")
    reloads = discover.reloads()

    with pytest.raises(AssertionError, match="not within"):
        wait_for(lambda: discover.reloads() > reloads, 4, "one more reload")


def test_an_edit_that_is_taken_back_at_once_leaves_nothing_to_do(
    etcd: Etcd, discover: Discover
) -> None:
    good = discover.template.read_text()
    edited = good.replace("timeout tunnel 1h", "timeout tunnel 2h")
    renamed(discover.template, edited)
    wait_for(lambda: "tunnel 2h" in discover.haproxy.config.read_text(), 10, "the edit is applied")
    renamed(discover.template, good)
    renamed(discover.template, edited)

    def ticks() -> int:
        fields = Path(f"/proc/{discover.pid()}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    with pytest.raises(AssertionError, match="not within"):
        wait_for(lambda: ticks() > before + 100, 3, "a second of work")


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (b"{{ raise }}\n    description {{ marker }}", "template"),
        (b"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "recursion"),
        (
            b"global\n    description {{ marker }}\nlisten x\n    server lonely\n",
            "not a name and an address",
        ),
        (b"# caf\xe9\n", "cannot read"),
    ],
)
def test_whatever_a_template_does_the_last_good_one_goes_on(
    etcd: Etcd, discover: Discover, broken: bytes, said: str
) -> None:
    port = free_port()
    discover.template.write_bytes(broken)
    discover.wait_said(said)

    with backend("one") as one:
        serve(etcd, discover, 1, one, port)


# How editors save: all at once over the old one, in place, by a link that is swapped.


def renamed(path: Path, text: str) -> None:
    fresh = path.with_name(".fresh")
    fresh.write_text(text)
    fresh.replace(path)


def truncated(path: Path, text: str) -> None:
    path.write_text("")
    path.write_text(text)


def moved_away_first(path: Path, text: str) -> None:
    path.rename(path.with_name(path.name + "~"))
    path.write_text(text)


def link_swapped(path: Path, text: str) -> None:
    """What Kubernetes does with a ConfigMap: the file is a link through a link to a folder."""
    folder = path.parent / f"..{os.urandom(4).hex()}"
    folder.mkdir()
    (folder / path.name).write_text(text)
    fresh = path.parent / "..data_tmp"
    fresh.symlink_to(folder.name)
    fresh.replace(path.parent / "..data")
    if not path.is_symlink():
        path.unlink()
        path.symlink_to(Path("..data") / path.name)


@pytest.mark.parametrize("save", [renamed, truncated, moved_away_first, link_swapped])
def test_an_edit_of_the_template_applies_at_once(etcd: Etcd, discover: Discover, save: Any) -> None:
    good = discover.template.read_text()
    for number in (1, 2):
        line = f"timeout tunnel {number}234s"
        save(discover.template, good.replace("timeout tunnel 1h", line))

        wait_for(partial(discover.runs_with, line), 10, "the edit is applied")


def test_an_invalid_edit_is_refused_with_its_line(etcd: Etcd, discover: Discover) -> None:
    port = free_port()
    good = discover.template.read_text()
    with backend("one") as one, backend("two") as two:
        renamed(
            discover.template,
            good.replace("timeout client {{ silence }}", "timeout client {{ listener.modus }}"),
        )
        line = next(n for n, text in enumerate(good.splitlines(), 1) if "timeout client {{" in text)
        # refused when it is saved, though no service needs that line yet
        discover.wait_said(f"template haproxy.cfg.j2 line {line}: ")
        assert "template" in get(discover.metrics, "/readyz")[1]
        serve(etcd, discover, 1, one, port)

        renamed(
            discover.template, good.replace("balance {{ listener.balance }}", "balance nonsense")
        )
        discover.wait_said("HAProxy refuses the configuration: parsing")
        publish(etcd, local(2, two, port))
        wait_for(
            lambda: answers(port) == {"one", "two"}, 10, "changes go on with the last good template"
        )
        reloads = discover.reloads()

        renamed(discover.template, good)
        discover.wait_ready()
        assert discover.reloads() == reloads


def test_a_broken_template_at_start_falls_back_on_the_last_good_one(
    etcd: Etcd, discover: Discover
) -> None:
    port = free_port()
    discover.stop()
    discover.template.write_text("{% nonsense %}")

    discover.start()

    with backend("one") as one:
        publish(etcd, local(1, one, port))
        wait_for(lambda: get(port)[1] == "one", 10, "changes are applied all the same")
    discover.wait_said("template haproxy.cfg.j2 line 1: Encountered unknown tag 'nonsense'")


def test_idle_costs_no_write_and_no_reload(etcd: Etcd, discover: Discover) -> None:
    """Nothing but our own watching: etcd's revision and HAProxy's worker stay."""
    port = free_port()
    with backend("one") as one:
        serve(etcd, discover, 1, one, port)
        revision = etcd.ctl("get", "x", "-w", "json")
        wait_for(lambda: len(discover.haproxy.pids()) == 2, 15, "the old worker has left")
        pids = discover.haproxy.pids()

        with pytest.raises(AssertionError, match="not within"):
            wait_for(lambda: discover.haproxy.pids() != pids, 5, "a reload")

        assert etcd.ctl("get", "x", "-w", "json") == revision


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--bind", "everywhere"), "wrong setting: --bind: 'everywhere' is not * or IP addresses"),
        (
            ("--etcd-host", "10.0.0.1:99999"),
            "wrong setting: --etcd-host: '10.0.0.1:99999': 99999 is not a port",
        ),
        (
            ("--state-dir", "/proc/nowhere"),
            "wrong setting: STATE_DIR: /proc/nowhere cannot be created",
        ),
        (("--no-such-flag",), "wrong setting: --no-such-flag: no such flag"),
    ],
)
def test_wrong_settings_are_said_in_one_line_with_status_2(
    tmp_path: Path, flags: tuple[str, ...], message: str
) -> None:
    wrong = Discover(tmp_path, "127.0.0.1:1", *flags)
    wrong.start()

    assert wrong.exit_status() == 2
    [line] = [line for line in wrong.log.splitlines() if "wrong setting" in line]
    assert message in line
