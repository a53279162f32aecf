"""Keys: a name into a key and back, and nothing else gets through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import Rejected
from catalog.keys import (
    ASK_ID,
    EVERY_SERVICE,
    HOST_ID,
    OVERRIDE_ID,
    AskKey,
    DrainedKey,
    InstanceKey,
    Key,
    OverrideKey,
    OwnerKey,
    PortKey,
    ProxyKey,
    PurgeKey,
    host_root,
    hosts_root,
    identity,
    instances_root,
    key_of,
    parse_key,
    root,
)
from catalog.records.record import Instance
from catalog.values.rules import SERVICE_NAME

CONTAINER = "0123456789ab"

hosts = st.from_regex(HOST_ID, fullmatch=True)
services = st.from_regex(SERVICE_NAME, fullmatch=True)
containers = st.text("0123456789abcdef", min_size=12, max_size=12)
keys: st.SearchStrategy[Key] = (
    st.builds(OwnerKey, hosts)
    | st.builds(DrainedKey, hosts)
    | st.builds(PurgeKey, hosts)
    | st.builds(ProxyKey, hosts)
    | st.builds(AskKey, st.from_regex(ASK_ID, fullmatch=True))
    | st.builds(
        OverrideKey, services | st.just(EVERY_SERVICE), st.from_regex(OVERRIDE_ID, fullmatch=True)
    )
    | st.builds(PortKey, services)
    | st.builds(InstanceKey, hosts, services, containers, st.integers(1, 65535))
)
prefixes = st.sampled_from(["/services", "/team/a", "", "/v1/hosts"])

GIVEN = [
    (OwnerKey("h1"), "/services/v1/hosts/h1/owner"),
    (DrainedKey("h1"), "/services/v1/hosts/h1/drained"),
    (PurgeKey("h1"), "/services/v1/hosts/h1/purge"),
    (
        InstanceKey("h1", "web", CONTAINER, 80),
        f"/services/v1/hosts/h1/instances/web/{CONTAINER}:80",
    ),
    (PortKey("web"), "/services/v1/ports/web"),
    (ProxyKey("h1"), "/services/v1/hosts/h1/proxy"),
    (AskKey("a1"), "/services/v1/asks/a1"),
    (OverrideKey("web", "a.1"), "/services/v1/overrides/web/a.1"),
    (OverrideKey(EVERY_SERVICE, "drain-h1"), "/services/v1/overrides/_/drain-h1"),
]


@pytest.mark.parametrize(("key", "text"), GIVEN)
def test_layout(key: Key, text: str) -> None:
    assert key_of("/services", key) == text
    assert parse_key("/services", text) == key


@given(prefixes, keys)
def test_parsing_is_the_inverse(prefix: str, key: Key) -> None:
    assert parse_key(prefix, key_of(prefix, key)) == key


@given(prefixes, st.lists(keys, unique=True, max_size=8))
def test_two_keys_are_never_the_same(prefix: str, some: list[Key]) -> None:
    assert len({key_of(prefix, key) for key in some}) == len(some)


@given(
    prefixes,
    st.text(max_size=80),
    st.sampled_from(["", "/v1/", "/v1/hosts/", "/v1/hosts/h/instances/", "/v1/ports/"]),
)
def test_any_text_is_a_key_or_rejected(prefix: str, text: str, below: str) -> None:
    whole = f"{prefix}{below}{text}"
    try:
        key = parse_key(prefix, whole)
    except Rejected:
        return
    assert key_of(prefix, key) == whole


@pytest.mark.parametrize(
    "below",
    [
        "",
        "hosts",
        "hosts/",
        "hosts//owner",
        "hosts/h1",
        "hosts/h1/",
        "hosts/h1/owner/",
        "hosts/h1/owners",
        "hosts/../owner",
        "hosts/-h/owner",
        "hosts/h\n/owner",
        "hosts/h1\n/owner",
        f"hosts/{'h' * 65}/owner",
        "hosts/h1/instances",
        "hosts/h1/instances/web",
        f"hosts/h1/instances/web/{CONTAINER}",
        f"hosts/h1/instances/web/{CONTAINER}:",
        f"hosts/h1/instances/web/{CONTAINER}:0",
        f"hosts/h1/instances/web/{CONTAINER}:080",
        f"hosts/h1/instances/web/{CONTAINER}:80 ",
        f"hosts/h1/instances/web/{CONTAINER}:80\n",
        f"hosts/h1/instances/web/{CONTAINER}:65536",
        f"hosts/h1/instances/web/{CONTAINER}:99999",
        f"hosts/h1/instances/web/{CONTAINER}:٨٠",
        f"hosts/h1/instances/web/{CONTAINER.upper()}:80",
        f"hosts/h1/instances/web/{CONTAINER}0:80",
        f"hosts/h1/instances/web/{CONTAINER}:80/more",
        f"hosts/h1/instances/WEB/{CONTAINER}:80",
        f"hosts/h1/instances/a b/{CONTAINER}:80",
        f"hosts/h1/instances/web\n/{CONTAINER}:80",
        f"hosts/h1/instances/../{CONTAINER}:80",
        "ports",
        "ports/",
        "ports/-web",
        "ports/web/more",
        "ports/web\n  bind *:22",
        "ports/{{7*7}}",
        "ports/${jndi}",
        "ports/☃",
        f"ports/{'a' * 5000}",
        "overrides",
        "overrides/web",
        "overrides/web/",
        "overrides/_web/a",
        "overrides/WEB/a",
        "overrides/web/a/b",
        "overrides/web/a\nb",
        f"overrides/web/{'a' * 129}",
        "other/x",
    ],
)
def test_what_is_not_of_the_layout_is_rejected(below: str) -> None:
    with pytest.raises(Rejected) as rejected:
        parse_key("/services", f"/services/v1/{below}")

    assert len(str(rejected.value)) < 400, "a message is one line for a log"
    assert "\n" not in str(rejected.value)


@pytest.mark.parametrize(
    "text", ["", "/services", "/servicesv1/ports/a", "/services/v2/ports/a", "/other/v1/ports/a"]
)
def test_other_prefix_is_rejected(text: str) -> None:
    with pytest.raises(Rejected, match="does not start with /services/v1/"):
        parse_key("/services", text)


def test_roots_contain_their_keys_and_no_other_host() -> None:
    owner, _drained, _purge, instance, port, *_others = (text for _, text in GIVEN)

    assert owner.startswith(host_root("/services", "h1"))
    assert instance.startswith(instances_root("/services", "h1"))
    assert not instance.startswith(host_root("/services", "h"))
    assert owner.startswith(hosts_root("/services"))
    assert not port.startswith(hosts_root("/services"))
    assert port.startswith(root("/services"))


def test_identity_is_the_port_inside_the_container() -> None:
    instance = Instance(
        service="web",
        address="10.0.0.1",
        port=32768,
        container="0123456789ab" + "c" * 52,
        container_port=80,
        service_port=None,
    )

    assert identity("h1", instance) == InstanceKey("h1", "web", CONTAINER, 80)
    assert identity("h1", instance).name == f"{CONTAINER}:80"
