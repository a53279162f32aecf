"""Which service or template a refusal that names none is about, and what is tried next."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.errors import Rejected
from discover.apply.candidates import Candidate, Candidates, Wanted
from discover.haproxy.process import Refusal
from discover.model.proxy_config import Listener, ProxyConfig
from discover.operator.snippets import Snippets, snippet_of
from discover.operator.templates import Templates
from discover.text.render import Rendered
from discover.text.sections import Section
from tests.parts.configs import PROCESS, config_of
from tests.parts.records import instance, snapshot

TEMPLATE = """\
global
    description {{ marker }}
{% for listener in listeners %}
listen {{ listener.name }}
    mode {{ listener.mode }}
{% for line in listener.snippet %}
    {{ line }}
{% endfor %}
{% endfor %}
"""
LISTENERS = config_of(
    snapshot(*(instance(n, f"s{n}", service_port=n) for n in range(1, 21)))
).listeners


class Applied:
    """Stands for HAProxy and the actor that asks it: refuses what `bad` says, and names nobody."""

    def __init__(self, folder: Path, listeners: Sequence[Listener] = LISTENERS) -> None:
        self.template = folder / "t.j2"
        self.template.write_text(TEMPLATE)
        self.config = ProxyConfig(PROCESS, tuple(listeners))
        self.good: dict[str, Listener] = {}
        self.proxies: frozenset[str] = frozenset()
        self.bad: Callable[[str], bool] = lambda _text: False
        self.sections: dict[str, Section] = {}
        self.checks = 0
        self._templates = Templates(self.template, folder / "good", shipped=self.template)
        self._candidates = Candidates(self._templates, self.check)

    def check(self, rendered: Rendered) -> None:
        self.checks += 1
        if self.bad(rendered.text):
            raise Refusal("/file", rendered.text, ["no reason given"])

    def round(self, snippets: Snippets | None = None) -> dict[str, str]:
        self.checks = 0
        wanted = Wanted(self.config, snippets or {}, None, self.sections, self.proxies, self.good)

        for candidate in self._candidates.each(wanted):
            try:
                self._apply(candidate)
            except Rejected as error:
                self._candidates.refused(error)
            else:
                self._candidates.accepted(candidate)
                break

        return {where: problem.code for where, problem in self._candidates.problems.items()}

    def _apply(self, candidate: Candidate) -> None:
        if candidate.rendered.sections != self.sections:
            self.check(candidate.rendered)
        self._templates.accept(candidate.layout)
        self.sections = dict(candidate.rendered.sections)
        self.good = {listener.name: listener for listener in candidate.config.listeners}


@pytest.fixture
def applied(tmp_path: Path) -> Applied:
    return Applied(tmp_path)


def has(*names: str) -> Callable[[str], bool]:
    return lambda text: any(f"listen {name}\n" in text for name in names)


def test_nobody_is_asked_about_while_all_is_well(applied: Applied) -> None:
    assert applied.round() == {}
    assert applied.checks == 2  # the template's sample, and the text
    assert applied.round() == {}
    assert applied.checks == 0


def test_several_whom_nobody_names_are_found_by_halves(applied: Applied) -> None:
    applied.bad = has("s3:3", "s17:17")

    assert applied.round() == {"s3:3": "QUARANTINED", "s17:17": "QUARANTINED"}
    assert len(applied.good) == 18
    assert applied.checks <= 2 + 2 * (2 + 5)
    assert applied.round() == {"s3:3": "QUARANTINED", "s17:17": "QUARANTINED"}
    assert applied.checks == 0
    applied.bad = has()
    applied.config = ProxyConfig(PROCESS, LISTENERS[1:])
    assert len(applied.round()) == 2  # what others do is no reason to try again


def test_what_is_nobodys_fault_is_said_and_asked_about_once(applied: Applied) -> None:
    assert applied.round() == {}
    applied.config = ProxyConfig(PROCESS, (replace(LISTENERS[0], mode="http"), *LISTENERS[1:]))
    applied.bad = lambda _text: True

    assert applied.round() == {"configuration": "CONFIGURATION_REFUSED"}
    assert applied.checks == 3  # the text, for either candidate, and what ran
    assert applied.round() == {"configuration": "CONFIGURATION_REFUSED"}
    assert applied.checks == 2


def test_an_edit_that_fails_for_a_service_that_runs_is_the_templates_fault(
    applied: Applied,
) -> None:
    assert applied.round() == {}
    applied.bad = lambda text: "listen s3:3\n    nonsense" in text

    edit = "{{ listener.name }}\n{% if listener.service == 's3' %}\n    nonsense\n{% endif %}"
    applied.template.write_text(TEMPLATE.replace("{{ listener.name }}", edit))

    assert applied.round() == {"template": "TEMPLATE_REFUSED"}
    assert len(applied.good) == 20


def test_a_template_that_fails_for_all_is_at_fault_though_nobody_runs(applied: Applied) -> None:
    failing = "{{ listener.mode }} {{ 1 // (listener.service == 'sample') }}"
    applied.template.write_text(TEMPLATE.replace("{{ listener.mode }}", failing))

    assert applied.round() == {"template": "TEMPLATE_REFUSED"}
    assert applied.good == {}


def test_one_alone_that_the_template_cannot_lay_out_is_left_out(applied: Applied) -> None:
    broken = "{{ listener.mode }} {{ 1 // (0 if listener.service == 's3' else 1) }}"
    applied.template.write_text(TEMPLATE.replace("{{ listener.mode }}", broken))

    assert applied.round() == {"s3:3": "QUARANTINED"}
    assert len(applied.good) == 19


def test_a_bad_snippet_of_one_that_runs_unknown_changes_nothing(applied: Applied) -> None:
    bad = {"s3": snippet_of("s3.cfg", "listen other")}
    applied.proxies = frozenset({"s3:3"})

    assert applied.round(bad) == {"template": "TEMPLATE_REFUSED"}
    assert applied.good == {}


def test_a_bad_snippet_of_one_that_runs_keeps_it(applied: Applied) -> None:
    bad = {"s3": snippet_of("s3.cfg", "option a\nlisten other")}
    assert applied.round() == {}

    assert applied.round(bad) == {"s3:3": "QUARANTINED"}
    assert applied.checks == 0
    assert len(applied.good) == 20
    assert applied.round({"s3": snippet_of("s3.cfg", "option a")}) == {}
    assert applied.good["s3:3"].snippet == ("option a",)
