"""How much a round costs: each change is fitted, rendered and planned once."""

import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import discover.apply.candidates
import discover.apply.rollout
from catalog.errors import Rejected
from catalog.records.record import Instance
from discover.apply.listeners_file import ListenersFile
from discover.apply.plan import ServerChange
from discover.apply.running import Worker
from discover.haproxy.replies import Mismatch
from discover.model.proxy_config import HostPolicy
from discover.operator.templates import Templates
from discover.reconcile import Reconcile, Sources
from discover.settings import TEMPLATE
from discover.snapshot.snapshot import Snapshot
from discover.stubs.debt_keeper import StubDebt
from discover.text.render import Layout, Rendered
from sidecar.status.health import Health
from sidecar.status.metrics import Metrics
from sidecar.status.problems import Problems
from sidecar.trigger import Trigger
from tests.parts.configs import AT_DOOR, POLICY
from tests.parts.records import instance, snapshot, web


@dataclass
class FakeApplier:
    """Stands for HAProxy and its file, and takes every text but those with a refused word."""

    stop: threading.Event = field(default_factory=threading.Event)
    resting: int = 0
    owes: bool = False
    done: list[str] = field(default_factory=list)
    refused: str = "\0"
    fails: bool = False  # every change at runtime
    checks: int = 0

    def worker(self, known: Worker | None) -> Worker | None:
        return known

    def has_file(self) -> bool:
        return False

    def settle(self) -> None:
        """Nothing is owed."""

    def check(self, wanted: Rendered) -> None:
        self.checks += 1
        if self.refused in wanted.text:
            raise Rejected(f"{self.refused} is refused")

    def update(self, worker: Worker, wanted: Rendered, changes: Sequence[ServerChange]) -> Worker:
        if self.fails:
            raise Mismatch("HAProxy answered something else")
        self.done.append("update")
        return replace(worker, rendered=wanted)

    def reload(self, worker: Worker | None, wanted: Rendered) -> Worker:
        self.check(wanted)
        self.done.append("reload")
        return Worker(wanted, "marker")


class Site:
    """A reconcile actor whose rounds are run by hand, and what each cost."""

    def __init__(self, folder: Path, policy: HostPolicy) -> None:
        self.template = folder / "haproxy.cfg.j2"
        shutil.copy(TEMPLATE, self.template)
        self.snapshot: Snapshot | None = None
        self.applier = FakeApplier()
        self.costs = Counter[str]()
        self.problems = Problems()
        sources = Sources(
            snapshot=lambda: self.snapshot,
            policy=lambda: policy,
            templates=Templates(self.template, folder / "good", TEMPLATE),
            listeners_file=ListenersFile(folder / "listeners"),
            outside=lambda snapshot: (snapshot, {}),
            snippets=dict,
        )
        self.reconcile = Reconcile(
            sources,
            self.applier,  # type: ignore[arg-type]
            Trigger(),
            stubs=StubDebt(lambda _question: "", folder / "stubs", Metrics()),
            problems=self.problems,
            health=Health(stuck_after_s=60.0),
        )

    def round(self, *instances: Instance) -> str:
        """Go one round; return what was done to HAProxy, and leave in `costs` what that took."""
        self.snapshot = snapshot(*instances)
        self.applier.done.clear()
        self.applier.checks = 0
        self.costs.clear()
        self.reconcile._round(("catalog",))
        return ", ".join(self.applier.done)

    def text(self) -> str:
        """Return the text that HAProxy runs."""
        worker = self.reconcile.running.worker
        return worker.rendered.text if worker else ""

    def allow_reload(self) -> None:
        """Let time pass, such that the next reload is not the second of a burst."""
        self.reconcile._rollout.pace = type(self.reconcile._rollout.pace)()


@pytest.fixture(params=[POLICY, AT_DOOR], ids=["no door", "a door"])
def site(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    site = Site(tmp_path, replace(request.param, hosts=("127.0.0.99",)))

    def counted(owner: object, name: str, what: str) -> None:
        original = getattr(owner, name)

        def count(*args: object, **kwargs: object) -> object:
            site.costs[what] += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, count)

    counted(discover.apply.candidates.Candidates, "_fit", "fits")
    counted(Layout, "render", "renders")
    counted(discover.apply.rollout, "step_to", "plans")
    site.round(instance(1))
    site.round(instance(1))
    site.allow_reload()
    yield site


ONCE = {"fits": 1, "renders": 1, "plans": 1}


def test_nothing_new_costs_one_look(site: Site) -> None:
    assert site.round(instance(1)) == ""
    assert site.costs == ONCE


def test_a_server_more_is_an_update_that_costs_one_of_each(site: Site) -> None:
    assert site.round(instance(1), instance(2)) == "update"
    assert site.costs == ONCE


def test_a_new_service_is_a_reload_that_costs_one_of_each(site: Site) -> None:
    assert site.round(instance(1), instance(2, "db", service_port=5432)) == "reload"
    assert site.costs == ONCE


def test_an_edited_template_is_a_reload_that_costs_one_of_each_and_its_proof(site: Site) -> None:
    text = site.template.read_text()
    site.template.write_text(text.replace("retries 3", "retries 4"))

    assert site.round(instance(1)) == "reload"
    assert site.costs == ONCE | {"renders": 2}  # all kinds of listeners, once, and what runs


def test_servers_that_change_with_a_new_service_are_updated_first(site: Site) -> None:
    changed = instance(1, weight=7)

    assert site.round(changed, instance(2, "db", service_port=5432)) == "update, reload"
    assert site.costs == ONCE | {"renders": 2, "plans": 2}  # the text of now with the servers to be


def test_a_reload_that_is_not_due_costs_one_of_each_in_each_round(site: Site) -> None:
    more = instance(2, "db", service_port=5432)
    assert site.round(instance(1), more) == "reload"

    another = instance(3, "other", service_port=5433)
    assert site.round(instance(1), more, another) == ""
    assert site.costs == ONCE
    assert site.reconcile.running.config
    assert len([it for it in site.reconcile.running.config.listeners if it.service]) == 2


@pytest.mark.parametrize("site", [AT_DOOR], indirect=True, ids=["a door"])
def test_a_reload_that_gives_a_service_its_own_backend_lays_out_both_forms(site: Any) -> None:
    named = web(2, "named", service_port=None)
    assert site.round(instance(1), named) == "update"
    assert site.costs == ONCE

    assert site.round(instance(1), named, instance(3, "db", service_port=5432)) == "reload"
    assert site.costs == ONCE | {"renders": 2, "plans": 2}


def test_a_change_that_fails_at_runtime_is_a_reload(site: Site) -> None:
    site.applier.fails = True

    assert site.round(instance(1), instance(2)) == "reload"
    # the second time with as many free slots as before
    assert site.costs == ONCE | {"renders": 2, "plans": 2}


def test_a_text_that_is_refused_for_nobody_in_particular_is_said_and_not_asked_about_again(
    site: Site,
) -> None:
    more = instance(2, "db", service_port=5432)
    site.applier.refused = "listen db:5432"

    assert site.round(instance(1), more) == ""
    assert site.problems.current["configuration"].code == "CONFIGURATION_REFUSED"
    assert site.applier.checks == 1
    site.allow_reload()
    site.round(instance(1), more)
    assert site.applier.checks == 0

    site.round(instance(1))
    assert "configuration" not in site.problems.current


def test_instances_that_came_late_get_a_slot_once_nothing_changed_for_long(site: Site) -> None:
    first = [instance(number, mode="http") for number in range(1, 3)]
    many = [instance(number, mode="http") for number in range(1, 9)]
    assert site.round(*first) == "reload"
    assert site.round(*many) == "update"
    assert site.reconcile._is_untidy()

    assert site.round(*many) == ""
    site.reconcile._deadlines.tidy_s = 0.0
    assert site.round(*many) == "reload"

    assert not site.reconcile._is_untidy()
    assert "pool-max-conn 0" not in site.text()


def test_a_template_that_knows_nothing_of_slots_is_not_laid_out_anew_for_nothing(
    site: Site,
) -> None:
    text = site.template.read_text()
    as_before = text.replace(" + listener.free", "").replace(" pool-max-conn 0", "")
    site.template.write_text(as_before.replace(" tcp-ut 3s", ""))
    many = [instance(number, mode="http") for number in range(1, 9)]
    assert site.round(many[0]) == "reload"

    assert site.round(*many) == "update"
    assert site.round(many[0]) == "update"
    assert site.round(many[0]) == ""

    assert not site.reconcile._is_untidy()
