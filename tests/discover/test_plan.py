"""plan: what has to happen between two configurations, as data."""

from dataclasses import replace

import pytest

from discover.plan import Noop, Reload, RuntimeUpdate, Version, plan
from discover.render import Layout
from discover.settings import TEMPLATE
from tests.discover.test_model import POLICY, config_of
from tests.parts.records import instance, snapshot

LAYOUT = Layout(TEMPLATE.read_text(), "haproxy.cfg.j2")


def version(*records, policy=POLICY, layout=LAYOUT) -> Version:
    config = config_of(snapshot(*records), policy)
    return Version(layout.render(config).text, config)


BASE = version(instance(1), instance(2))
OTHER_STATS = replace(POLICY, process=replace(POLICY.process, stats=None))


def test_the_same_text_needs_nothing():
    assert plan(BASE, version(instance(1), instance(2))) == Noop()


def test_the_same_text_of_an_earlier_life_needs_nothing():
    assert plan(Version(BASE.text, None), BASE) == Noop()


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (version(instance(1), instance(2), instance(3)), "whoami:8000 +000000000003:8000"),
        (version(instance(1)), "whoami:8000 -000000000002:8000"),
        (version(instance(1), instance(2, state="draining")), "whoami:8000 000000000002:8000 draining"),
        (version(instance(1), instance(2, weight=1)), "whoami:8000 000000000002:8000 changed"),
    ],
)
def test_servers_alone_are_a_runtime_update(wanted, why):
    step = plan(BASE, wanted)

    assert isinstance(step, RuntimeUpdate)
    assert step.why == why


@pytest.mark.parametrize(
    ("running", "wanted", "why"),
    [
        (None, BASE, "nothing known is running"),
        (Version("other", None), BASE, "the configuration of an earlier life differs"),
        (BASE, version(instance(1), instance(2), instance(3, "db", service_port=5432)), "new db:5432"),
        (BASE, version(), "no more whoami:8000"),
        (BASE, version(instance(1, mode="http"), instance(2)), "changed whoami:8000"),
        (BASE, version(instance(1), instance(2), policy=OTHER_STATS), "settings changed"),
        (
            BASE,
            version(instance(1), instance(2), layout=Layout(TEMPLATE.read_text() + "# more\n", "t")),
            "the template changed",
        ),
    ],
)
def test_anything_else_is_a_reload_that_says_why(running, wanted, why):
    assert plan(running, wanted) == Reload(why)


def test_many_reasons_are_cut_short():
    many = version(*(instance(n, f"s{n}", service_port=9000 + n) for n in range(1, 9)))

    assert plan(version(), many) == Reload("new s1:9001, new s2:9002, new s3:9003, new s4:9004, new s5:9005 and 3 more")
