"""Whatever a container's labels are, each port is offered or has a reason, and nothing raises."""

from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.records.record import decode, encode
from catalog.values.vocabulary import LABELS
from register.docker.container import Binding, Container, Network, Port
from register.offer.instances import OfferSettings, instances_of
from register.offer.naming import COMPOSE_PROJECT, COMPOSE_SERVICE, SWARM_SERVICE
from tests.parts.containers import container

PORTS = st.sampled_from([80, 443, 8000])
GOOD = [
    "true",
    "false",
    "web",
    "auto",
    "8080",
    "http",
    "tcp",
    "stub",
    "10",
    "/health",
    "2s",
    "random",
    "cookie",
    "a,b",
]
BAD = [
    "",
    "300",
    "two words",
    "a\nb",
    "${x}",
    "{{7*7}}",
    "é",
    "\x00",
    "x" * 300,
    "-",
    "99999999999",
    "0",
]
VALUES = st.sampled_from(GOOD + BAD) | st.text(max_size=20)
NAMES = st.sampled_from([*LABELS, "NAME", "NOTE", "A B"])
KEYS = (
    st.builds("SERVICE_{}".format, NAMES)
    | st.builds("SERVICE_{}_{}".format, PORTS, NAMES)
    | st.text(max_size=12)
)
GIVEN = st.dictionaries(KEYS, VALUES, max_size=6)
# what names a container that was given no name
FOUND = st.dictionaries(
    st.sampled_from([COMPOSE_PROJECT, COMPOSE_SERVICE, SWARM_SERVICE, "org.testcontainers"]), VALUES
)
EXPOSED = st.lists(st.builds(Port, PORTS, st.sampled_from(["tcp", "udp", "sctp"])), max_size=3)
HOST_IPS = st.sampled_from(["", "0.0.0.0", "::", "127.0.0.1", "192.0.2.7", "fd00::7"])
BINDINGS = st.lists(
    st.builds(
        Binding,
        st.builds(Port, PORTS, st.sampled_from(["tcp", "udp", "sctp"])),
        HOST_IPS,
        st.integers(1, 65535),
    ),
    max_size=4,
)
NETWORKS = st.lists(
    st.builds(Network, st.sampled_from(["bridge", "web"]), st.just("172.18.0.2")), max_size=2
)
CONTAINERS = st.builds(
    container,
    labels=st.builds(lambda given, found: given | found, GIVEN, FOUND),
    env=GIVEN,
    exposed=st.builds(tuple, EXPOSED),
    bindings=st.builds(tuple, BINDINGS),
    networks=st.builds(tuple, NETWORKS),
    network_mode=st.sampled_from(["default", "host", "none", "web", "container:abc"]),
    health=st.sampled_from([None, "starting", "healthy", "unhealthy"]),
    image_is_id=st.booleans(),
    image=st.sampled_from(["nginx:1", "r.example:5000/a/b@sha256:00", "sha256:abc", "", "Üx"]),
    running=st.booleans(),
)
POLICIES = st.builds(
    OfferSettings,
    st.sampled_from(["10.0.0.1", "127.0.0.1", "fd00::1"]),
    st.sampled_from(["published", "labelled"]),
    compose_names=st.sampled_from(["service", "project"]),
)


@settings(max_examples=600, deadline=None)
@given(CONTAINERS, POLICIES, st.booleans())
def test_every_port_is_offered_or_has_a_reason(
    given_container: Container, offer_settings: OfferSettings, stopping: bool
) -> None:
    offer = instances_of(given_container, offer_settings, stopping=stopping)

    assert offer.instances or offer.reasons
    for instance in offer.instances:
        assert decode(encode(instance)) == instance
    for problem in offer.reasons.values():
        assert "\n" not in problem.text
        assert problem.text
    names = [instance.service for instance in offer.instances]
    assert len({(i.service, i.container_port) for i in offer.instances}) == len(names)


@settings(max_examples=200, deadline=None)
@given(CONTAINERS, POLICIES)
def test_the_same_container_gives_the_same_bytes(
    given_container: Container, offer_settings: OfferSettings
) -> None:
    once = instances_of(given_container, offer_settings)
    again = instances_of(given_container, offer_settings)

    assert [encode(i) for i in once.instances] == [encode(i) for i in again.instances]
