"""plan: what has to happen between two configurations, as data."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from catalog.records.record import Instance
from discover.apply.plan import Noop, Reload, RuntimeUpdate, keeping_structure, plan
from discover.model.empty_services import with_empty_services
from discover.model.proxy_config import HostPolicy
from discover.settings import TEMPLATE
from discover.text.render import Layout, rendered_of
from discover.text.sections import Section
from tests.parts.configs import LAYOUT, POLICY, config_of
from tests.parts.records import instance, snapshot

INHERITING = Layout(
    TEMPLATE.read_text().replace("    retries 3\n", "    retries 3\n    default-server inter 1s\n"),
    "t",
)
OTHER = Layout(TEMPLATE.read_text().replace("retries 3", "retries 4"), "t")


def sections(
    *records: Instance, policy: HostPolicy = POLICY, layout: Layout = LAYOUT
) -> Mapping[str, Section]:
    return layout.render(config_of(snapshot(*records), policy)).sections


BASE = sections(instance(1), instance(2))
OTHER_STATS = replace(POLICY, process=replace(POLICY.process, stats=None))


def test_the_same_needs_nothing() -> None:
    assert plan(BASE, sections(instance(1), instance(2))) == Noop()


def test_a_comment_needs_nothing() -> None:
    layout = Layout(TEMPLATE.read_text() + "# more\n", "t")

    assert plan(BASE, sections(instance(1), instance(2), layout=layout)) == Noop()


def test_what_is_read_from_a_file_is_the_same() -> None:
    text = LAYOUT.render(config_of(snapshot(instance(1), instance(2)))).text.replace(
        "0" * 12, "abcdef012345"
    )

    assert plan(rendered_of(text).sections, BASE) == Noop()


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (sections(instance(1), instance(2), instance(3)), "whoami:8000 +000000000003:8000"),
        (sections(instance(1)), "whoami:8000 -000000000002:8000"),
        (sections(instance(1), instance(2, state="draining")), "whoami:8000 ~000000000002:8000"),
        (sections(instance(1), instance(2, weight=1)), "whoami:8000 ~000000000002:8000"),
        (sections(instance(1), instance(2, port=99)), "whoami:8000 ~000000000002:8000"),
    ],
)
def test_servers_alone_are_a_runtime_update(wanted: Any, why: str) -> None:
    step = plan(BASE, wanted)

    assert isinstance(step, RuntimeUpdate)
    assert step.why == why


@pytest.mark.parametrize(
    ("running", "wanted", "why"),
    [
        (None, BASE, "the running configuration is unknown"),
        (
            BASE,
            sections(instance(1), instance(2), instance(3, "db", service_port=5432)),
            "new listen db:5432",
        ),
        (BASE, sections(), "removed listen whoami:8000"),
        (BASE, sections(instance(1, mode="http"), instance(2)), "changed listen whoami:8000"),
        (BASE, sections(instance(1), instance(2, role="stub")), "changed listen whoami:8000"),
        (BASE, sections(instance(1), instance(2), policy=OTHER_STATS), "removed frontend stats"),
        (BASE, sections(instance(1), instance(2), layout=OTHER), "changed defaults"),
        (
            sections(instance(1), layout=INHERITING),
            sections(instance(1), instance(2), layout=INHERITING),
            "the template uses default-server, which does not apply to servers added at runtime",
        ),
    ],
)
def test_anything_else_is_a_reload_that_says_why(running: Any, wanted: Any, why: str) -> None:
    assert plan(running, wanted) == Reload(why)


def test_a_default_server_of_another_section_is_nobody_elses() -> None:
    own = Layout(
        TEMPLATE.read_text()
        + "\nbackend legacy\n    default-server inter 1s\n    server a 10.9.9.9:1\n",
        "t",
    )
    running = rendered_of(own.render(config_of(snapshot(instance(1)))).text).sections

    step = plan(running, sections(instance(1), instance(2), layout=own))

    assert isinstance(step, RuntimeUpdate)
    assert step.why == "whoami:8000 +000000000002:8000"


def test_many_reasons_are_cut_short() -> None:
    many = sections(*(instance(n, f"s{n}", service_port=9000 + n) for n in range(1, 9)))

    step = plan(sections(), many)

    assert isinstance(step, Reload)
    assert step.why.endswith("new listen s5:9005 and 3 more")


def test_servers_change_before_the_structure_does() -> None:
    """What takes no reload of a change that takes one: so that old workers still hear of it."""
    running = config_of(snapshot(instance(1), instance(2), instance(4, "db", service_port=5432)))
    wanted = config_of(
        snapshot(instance(1, state="draining"), instance(3), instance(5, "new", service_port=9000))
    )

    kept = keeping_structure(running, wanted)

    step = plan(LAYOUT.render(running).sections, LAYOUT.render(kept).sections)
    assert isinstance(step, RuntimeUpdate)
    assert step.why == ", ".join(
        [
            "whoami:8000 ~000000000001:8000",
            "whoami:8000 -000000000002:8000",
            "whoami:8000 +000000000003:8000",
        ]
    )


def test_a_service_that_loses_its_last_instance_keeps_its_listener() -> None:
    before = config_of(snapshot(instance(1), instance(2, "db", service_port=5432)))
    after = config_of(snapshot(instance(2, "db", service_port=5432)))

    emptied = with_empty_services(
        after, [listener for listener in before.listeners if listener.service == "whoami"]
    )

    step = plan(LAYOUT.render(before).sections, LAYOUT.render(emptied).sections)
    assert isinstance(step, RuntimeUpdate)
    assert step.why == "whoami:8000 -000000000001:8000"


def test_an_empty_service_gives_way_to_another_service_on_its_port() -> None:
    before = config_of(snapshot(instance(1)))
    after = config_of(snapshot(instance(2, "other")))

    assert [item.name for item in with_empty_services(after, before.listeners).listeners] == [
        "other:8000"
    ]
