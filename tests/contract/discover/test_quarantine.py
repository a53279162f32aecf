"""A site's own lines on the real HAProxy: blocks and snippets apply live, and what HAProxy refuses
stays alone.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.backend import backend
from tests.parts.discover import Discover, publish, withdraw
from tests.parts.etcd import Etcd
from tests.parts.haproxy import FaultyHAProxy, answers, get
from tests.parts.ports import free_port, free_ports
from tests.parts.records import local
from tests.parts.wait import wait_for

EXTENDS = '{% extends "haproxy.cfg.j2" %}\n'
DENY = "http-request deny deny_status 429 if { path /tea }\n"


@pytest.fixture
def program(tmp_path: Path) -> FaultyHAProxy:
    """The machine's haproxy, which counts its checks."""
    return FaultyHAProxy(tmp_path)


@pytest.fixture
def discover(tmp_path: Path, etcd: Etcd, program: FaultyHAProxy) -> Iterator[Discover]:
    """docker-discover with a template of the site's own, and a folder for its snippets."""
    (folder := tmp_path / "discover").mkdir()
    tmp_path.chmod(0o755)

    (own := tmp_path / "own").mkdir()
    (own / "site.j2").write_text(EXTENDS)
    (own / "snippets.d").mkdir()

    flags = ("--template", str(own / "site.j2"), "--haproxy", str(program.path))
    running = Discover(folder, etcd.endpoint, *flags)
    running.template = own / "site.j2"
    with running:
        yield running


def refused(discover: Discover) -> dict[str, dict[str, str]]:
    refused: dict[str, dict[str, str]] = discover.explain()["refused"]
    return refused


def snippet(discover: Discover, name: str, text: str) -> None:
    path = discover.template.with_name("snippets.d") / f"{name}.cfg"
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)


def test_blocks_and_files_beside_it_apply_at_once(etcd: Etcd, discover: Discover) -> None:
    (port,) = free_ports(1)
    include = "{% block defaults %}{{ super() }}{% include 'more.j2' %}{% endblock %}"
    more = discover.template.with_name("more.j2")
    config = discover.haproxy.config
    with backend("one") as one:
        more.write_text("    timeout connect 2s\n")
        discover.template.write_text(EXTENDS + include)
        wait_for(lambda: "timeout connect 2s" in config.read_text(), 10, "a block applies")
        more.write_text("    timeout connect 3s\n")
        wait_for(
            lambda: "timeout connect 3s" in config.read_text(),
            10,
            "an edit of an included file applies",
        )
        more.write_text("\n    timeout {{ nope }}\n")
        discover.wait_said("template more.j2 line 2: 'nope' is undefined")
        more.write_text("    timeout nonsense 3s\n")
        discover.wait_said("HAProxy refuses the configuration: parsing")
        assert refused(discover)["template"]["code"] == "TEMPLATE_REFUSED"
        publish(etcd, local(1, one, port))
        wait_for(lambda: answers(port, "one"), 10, "the last good template goes on")
        discover.kill()
        discover.start()
        publish(etcd, local(2, one, free_port(), "later"))
        discover.wait_said("new listen later")

    assert "timeout connect 3s" in config.read_text()


def test_a_bad_snippet_holds_its_service_alone(
    etcd: Etcd, discover: Discover, program: FaultyHAProxy
) -> None:
    """Row 41."""
    good, bad, new = free_ports(3)
    with (
        backend("one") as one,
        backend("two") as two,
        backend("three") as three,
        backend("four") as four,
    ):
        first, second = (
            local(1, one, bad, "bad", mode="http"),
            local(2, two, bad, "bad", mode="http"),
        )
        publish(etcd, first)
        wait_for(lambda: answers(bad, "one"), 15, "it answers")
        snippet(discover, "bad", "# no tea\n" + DENY)
        wait_for(lambda: get(bad, "/tea")[0] == 429, 10, "a snippet applies at once")
        wait_for(
            lambda: '"snippet bad.cfg line 2"' in get(discover.metrics, "/explain")[1],
            5,
            "/explain names it",
        )
        assert "deny_status" not in get(discover.metrics, "/explain")[1]  # it may be a secret

        snippet(discover, "bad", DENY + "\n  nonsense here\n")
        discover.wait_said("code=QUARANTINED")
        problem = refused(discover)[f"bad:{bad}"]
        assert problem["code"] == "QUARANTINED"
        assert problem["text"].startswith(
            f"bad:{bad} keeps its last good form: "
            "snippet bad.cfg line 3: unknown keyword 'nonsense'"
        )
        checks = program.checks()
        publish(etcd, local(3, three, good, "good"))
        wait_for(lambda: answers(good, "three"), 5, "another service comes")
        publish(etcd, second)
        withdraw(etcd, first)
        wait_for(lambda: answers(bad, "two"), 5, "its own instances go on to come and go")
        assert get(bad, "/tea")[0] == 429
        wait_for(lambda: discover.applied_revision() == etcd.revision(), 10, "all is seen")
        assert program.checks() <= checks + 1  # that of the new service

        snippet(discover, f"new:{new}", "listen other\n")
        publish(etcd, local(4, four, new, "new"))
        wait_for(lambda: f"new:{new}" in refused(discover), 10, "a new service")
        assert refused(discover)[f"new:{new}"]["text"].startswith(
            f"new:{new} is left out: snippet new:{new}.cfg line 1"
        )
        discover.kill()
        discover.start()
        discover.wait_ready()
        wait_for(
            lambda: sorted(refused(discover)) == sorted([f"bad:{bad}", f"new:{new}"]),
            10,
            "the same two",
        )
        assert get(bad, "/tea")[0] == 429

        snippet(discover, f"new:{new}", "")
        snippet(discover, "bad", "")
        wait_for(lambda: answers(new, "four"), 10, "mended, it comes")
        wait_for(lambda: get(bad, "/tea")[0] == 200, 10, "mended, it changes")
        wait_for(lambda: refused(discover) == {}, 10, "nobody is refused")
