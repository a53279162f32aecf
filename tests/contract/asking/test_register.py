"""docker-register is asked over a real etcd and the real engine: what is refused, and why."""

from pathlib import Path

from catalog.asking.ask import EXPLAIN, UNTIL, Ask
from catalog.asking.refusals import Refusals, decode
from catalog.asking.said_keys import refused_key
from catalog.store import Store
from catalog.version import VERSION
from ctl.asking import Asking, Heard
from tests.parts.engine import Engine
from tests.parts.etcd import Etcd
from tests.parts.records import PREFIX
from tests.parts.register import Catalog, Register
from tests.parts.store import wait_until


def said(etcd: Etcd) -> Refusals | None:
    store = Store(etcd.access)
    entry = store.get(refused_key(PREFIX, "h1"))
    store.close()
    return decode(entry.value) if entry else None


def explained(etcd: Etcd, what: str) -> Heard:
    with Asking(etcd.access, PREFIX) as asking:
        (heard,) = asking.ask(Ask(EXPLAIN, what), 5)
        assert not asking.silent
        return heard


def test_a_refused_container_is_explained_and_listed(
    tmp_path: Path, etcd: Etcd, engine: Engine, catalog: Catalog, service: str
) -> None:
    with Register(tmp_path, etcd):
        wait_until(lambda: (it := said(etcd)) is not None and it.kinds == (EXPLAIN, UNTIL))
        wait_until(lambda: (it := said(etcd)) is not None and it.version == VERSION)
        container = engine.run("tandem-whoami", SERVICE_NAME=service)

        def is_listed() -> bool:
            found = said(etcd)
            return any(row.code == "NO_PUBLISHED_PORT" for row in (found.rows if found else ()))

        wait_until(is_listed)
        heard = explained(etcd, service)
        assert heard.side == "register"
        (row,) = heard.answer.rows
        assert row["container"] == container.short
        assert row["name"] == container.name
        assert [it["code"] for it in row["refused"]] == ["NO_PUBLISHED_PORT"]
        assert not row["published"]

        before = catalog.revision()
        assert explained(etcd, "nobody").answer.status == "nothing"
        assert catalog.revision() == before + 3  # question, answer, end


def test_a_published_container_is_explained(
    tmp_path: Path, etcd: Etcd, engine: Engine, catalog: Catalog, service: str
) -> None:
    with Register(tmp_path, etcd):
        wait_until(lambda: said(etcd) is not None)
        engine.run("tandem-whoami", "-P", SERVICE_NAME=service)
        wait_until(lambda: catalog.state(service) == "ready")

        (row,) = explained(etcd, service).answer.rows
        assert row["published"][0]["service"] == service
        assert row["status"] == "running"
