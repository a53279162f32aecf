"""A real HAProxy with the shipped template, changed as docker-discover does it."""

from catalog.records.record import Instance
from discover.apply.applier import Applier
from discover.apply.plan import RuntimeUpdate, step_to
from discover.apply.running import Worker
from discover.model.proxy_config import Bind, HostPolicy, Process
from discover.settings import TEMPLATE
from discover.text.render import Layout, Rendered
from sidecar.status.metrics import Metrics
from tests.parts.configs import config_of
from tests.parts.haproxy import RealHAProxy
from tests.parts.ports import free_port
from tests.parts.records import snapshot


class Site:
    """A HAProxy, its applier, and a way to say which backends serve which port."""

    def __init__(self, haproxy: RealHAProxy) -> None:
        self.haproxy = haproxy
        self.stats = free_port()
        self.applier = Applier(
            haproxy.adapter, haproxy.config, stop=haproxy.stop, metrics=Metrics()
        )
        process = Process(Bind("127.0.0.1", self.stats), str(haproxy.admin), 500, None, None)
        self.policy = HostPolicy(process, ("127.0.0.1",), {})
        self.running: Worker | None = None
        self.layout = Layout(TEMPLATE.read_text(), "haproxy.cfg.j2")

    def rendered(self, *records: Instance, anew: bool = False) -> Rendered:
        """Return the text for these, with the slots that run."""
        config = config_of(snapshot(*records), self.policy)
        running = self.running.rendered.sections if self.running else {}
        return self.layout.render(config, running, anew=anew)

    def reload(self, *records: Instance) -> Worker:
        """Make HAProxy run these by a reload."""
        self.running = self.applier.reload(self.running, self.rendered(*records, anew=True))
        return self.running

    def update(self, *records: Instance) -> Worker:
        """Do what must be possible at runtime."""
        wanted = self.rendered(*records)
        assert self.running is not None, "update() before reload()"
        step = step_to(wanted, self.running.rendered)
        assert isinstance(step, RuntimeUpdate), step
        self.running = self.applier.update(self.running, wanted, step.changes)
        return self.running

    def slot(self, record: Instance) -> str:
        """Return the name that an instance has in HAProxy."""
        assert self.running is not None, "slot() before reload()"
        seats = self.running.rendered.seats[f"{record.service}:{record.service_port}"]
        return seats.slots[f"{record.container[:12]}:{record.container_port}"]

    def is_down(self, port: int, record: Instance) -> bool:
        """Whether HAProxy's check of an instance fails."""
        answer = self.haproxy.adapter.ask(f"@1 show stat whoami:{port} 4 -1")
        name = f",{self.slot(record)},"
        return any(name in line and ",DOWN," in line for line in answer.splitlines())

    def file_is_what_runs(self) -> bool:
        """Whether another life would take the file for what HAProxy runs."""
        return Site(self.haproxy).applier.worker(None) == self.running
