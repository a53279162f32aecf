"""Configurations of docker-discover for tests: built from a snapshot, laid out by the template."""

from dataclasses import replace

from discover.model.build import build
from discover.model.proxy_config import Bind, Door, HostPolicy, Process, ProxyConfig
from discover.settings import TEMPLATE
from discover.snapshot.snapshot import Snapshot
from discover.text.render import Layout

PROCESS = Process(Bind("127.0.0.1", 1936), "/run/tandem/admin.sock", 10_000, None, None)
POLICY = HostPolicy(PROCESS, ("127.0.0.1", "172.17.0.1"), {})

DOOR = Door((Bind("127.0.0.1", 8080),), "apps.test", "/run/tandem/pages.sock")
AT_DOOR = replace(POLICY, process=replace(PROCESS, door=DOOR))

LAYOUT = Layout(TEMPLATE.read_text(), "haproxy.cfg.j2")  # as shipped


def config_of(given: Snapshot, policy: HostPolicy = POLICY) -> ProxyConfig:
    """Return the configuration alone, without the problems."""
    return build(given, policy)[0]


def section(config: ProxyConfig, name: str) -> list[str]:
    """Return the stripped lines of the one section that begins with these words."""
    text = LAYOUT.render(config).text
    [found] = [part for part in text.split("\n\n") if part.lstrip().startswith(name)]
    return [line.strip() for line in found.strip().splitlines()]
