"""docker-discover --check, --render and --diff: what a terminal or a CI is told, and that nothing
is touched.
"""

from pathlib import Path

import pytest

from tests.parts.discover import Discover, discover_command, publish
from tests.parts.etcd import Etcd
from tests.parts.ports import free_port
from tests.parts.records import instance

TEMPLATE = Path(__file__).parents[3] / "templates" / "haproxy.cfg.j2"


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    path = tmp_path / "edited.j2"
    path.write_text(TEMPLATE.read_text())
    return path


def test_a_good_template_is_good_without_etcd(edited: Path) -> None:
    done = discover_command("--check", "--template", str(edited), "--etcd-host", "127.0.0.1:1")

    assert (done.returncode, done.stdout, done.stderr) == (0, f"{edited}: good\n", "")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("{% endif %}", "{% endfor %}", "--check: template edited.j2 line "),
        ("retries 3", "retires 3", "--check: HAProxy refuses the configuration: "),
        ("description {{ marker }}", "", "--check: template edited.j2: the marker is missing"),
    ],
)
def test_a_bad_template_is_one_line_and_status_1(
    edited: Path, old: str, new: str, why: str
) -> None:
    edited.write_text(edited.read_text().replace(old, new, 1))

    done = discover_command("--check", "--template", str(edited))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"docker-discover: {why}")
    assert done.stderr.count("\n") == 1


def test_a_template_that_is_not_there_is_said() -> None:
    done = discover_command("--check", "--template", "/nowhere/haproxy.cfg.j2")

    assert done.returncode == 1
    assert done.stderr == (
        "docker-discover: --check: template /nowhere/haproxy.cfg.j2: no such file; "
        "set TEMPLATE to another one\n"
    )


def test_what_runs_is_what_is_rendered(etcd: Etcd, discover: Discover, tmp_path: Path) -> None:
    port = free_port()
    publish(etcd, instance(1, "orders", address="192.0.2.1", service_port=port))
    discover.wait_said(f"orders:{port}")
    live = (*discover.flags, "--etcd-host", etcd.endpoint)
    before = {path: path.read_bytes() for path in discover.folder.glob("haproxy.cfg*")}

    same = discover_command("--diff", *live)
    rendered = discover_command("--render", *live)
    publish(etcd, instance(2, "bills", address="192.0.2.1", service_port=port))
    (export := tmp_path / "catalog.json").write_text(
        etcd.ctl("get", "--prefix", "/services", "-w", "json")
    )
    withdrawn = discover_command(
        "--diff", *live[:-2], "--etcd-host", "127.0.0.1:1", "--catalog", str(export)
    )

    assert (same.returncode, same.stdout, same.stderr) == (0, "", "")
    assert f"listen orders:{port}" in rendered.stdout
    assert rendered.stdout.count("192.0.2.1:") == 1
    assert "PORT_CLAIMED" in withdrawn.stderr
    assert withdrawn.returncode == 0
    assert {path: path.read_bytes() for path in before} == before


def test_claimed_ports_are_rendered_and_none_is_claimed(etcd: Etcd, tmp_path: Path) -> None:
    publish(etcd, instance(1, "orders", service_port=None), instance(2, "bills", service_port=None))
    etcd.ctl("put", "/services/v1/ports/orders", '{"v":1,"port":10007}')
    before = etcd.revision()

    done = discover_command("--render", "--etcd-host", etcd.endpoint, "--state-dir", str(tmp_path))

    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert "NO_SERVICE_PORT" in done.stderr
    assert "bind 127.0.0.1:10007" in done.stdout
    assert etcd.revision() == before


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"header": {"revision": 1}, "kvs": [{"key": "x"}]}']
)
def test_what_is_no_export_is_said(tmp_path: Path, text: str) -> None:
    (export := tmp_path / "catalog.json").write_text(text)

    done = discover_command("--render", "--catalog", str(export), "--state-dir", str(tmp_path))

    assert done.returncode == 1
    assert done.stderr.startswith(
        f"docker-discover: --render: {export} is not the output of `etcdctl get"
    )
    assert done.stderr.count("\n") == 1


def test_each_mistake_of_a_file_of_services_is_a_line(tmp_path: Path) -> None:
    (services := tmp_path / "services.yaml").write_text(
        "services: {a: {port: 80, servers: [10.0.0.5]}, b: {port: 80, servers: [10.0.0.6, "
        "10.0.0.7]}, c: {prot: 1}}"
    )

    lines = discover_command("--check", "--services", str(services)).stderr.splitlines()

    claimed = (
        "b has no listener: service port 80 belongs to a, which claimed or named it "
        "first; choose another with port:"
    )
    assert lines[0].startswith(
        "docker-discover: --check: services.yaml: c: servers: nothing, not a list"
    )
    assert lines[1:] == [f"docker-discover: --check: services.yaml: {claimed}"]


def test_a_file_of_services_is_told_and_rendered(tmp_path: Path) -> None:
    (catalog := tmp_path / "catalog.json").write_text('{"header": {"revision": 1}}')
    (services := tmp_path / "services.yaml").write_text(
        "services: {db: {port: 5432, servers: [10.0.0.5:5432, x]}}"
    )
    told = (
        f"{services.name}: db server 2: address: 'x' is a host name; servers are IP "
        "addresses, such as 10.0.0.5\n"
    )
    state = ("--state-dir", str(tmp_path), "--services", str(services))

    checked, rendered = (
        discover_command("--check", *state),
        discover_command("--render", "--catalog", str(catalog), *state),
    )

    assert (checked.returncode, checked.stderr) == (1, f"docker-discover: --check: {told}")
    assert (rendered.returncode, rendered.stderr) == (
        0,
        f"docker-discover: OUTSIDE_REFUSED file:db server 2: {told}",
    )
    assert "10.0.0.5:5432" in rendered.stdout

    services.unlink()
    missing = discover_command("--render", "--catalog", str(catalog), *state)
    assert missing.returncode == 1
    help_text = "no such file; set SERVICES to another one, or leave it empty"
    assert missing.stderr == f"docker-discover: --render: {services}: {help_text}\n"
