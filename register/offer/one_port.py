"""Give each general label to the ports that it can be true of. No I/O.

SERVICE_X means all ports that a container offers, and most settings can be true of all. A host
name, a service port, or what only http has, cannot: then the one port gets it that it fits, or
none, and that is said with the label to add. All ports are offered in any case.
"""

from collections.abc import Sequence
from dataclasses import replace

from catalog.errors import Rejected
from catalog.values.vocabulary import LABELS, Setting
from register.offer import foreign_words
from register.offer.labels import CHECK_CHOICE, Labels, LabelText
from register.reasons import because
from sidecar.status.problems import Problem

# By one of these among its own labels a port says that it speaks http.
_OF_HTTP = frozenset({"HOSTS", "PATH", "CHECK_HTTP", "PROTO", "CANARY", "STICKY"})
# nginx-proxy's port for a container that has several
_NGINX_PORT = 80
# Values that are true of any port: `auto` gives each a number of its own.
_TRUE_OF_ALL = ("tcp", "h1", False, None)
_NAMED = 3  # ports of which a message names the label


def bound(labels: Labels, ports: Sequence[int], refused: Sequence[int] = ()) -> Labels:
    """Return labels in which each general one holds for those of these ports that it is about.

    Our own labels are about the ports that are offered. Those of nginx-proxy may also be about one
    that is published and refused.
    """
    if len(ports) < 2 and not refused:
        return labels

    binding = _Binding(labels, ports, refused)
    for name, text in labels.general.items():
        if name in LABELS and _is_for_one(LABELS[name], text):
            binding.bind(name, text)

    for name, text in labels.general.items():
        if name in LABELS:
            binding.leave_to_those_that_heed(LABELS[name], text)
    return binding.result()


def _is_for_one(setting: Setting, text: LabelText) -> bool:
    if not setting.for_one_port:
        return False
    try:
        return setting.type.from_label(text.value.strip()) not in _TRUE_OF_ALL
    except Rejected:
        return setting.wrong_costs != "setting"


class _Binding:
    """The labels of a container with several ports, while general ones are bound to some."""

    def __init__(self, labels: Labels, ports: Sequence[int], refused: Sequence[int]) -> None:
        self._labels = labels
        self._ports = tuple(ports)
        self._refused = tuple(refused)
        self._general = dict(labels.general)
        self._by_port = {port: dict(labels.specific(port)) for port in (*ports, *refused)}
        self._notes = dict(labels.notes)

    def bind(self, name: str, text: LabelText) -> None:
        """Give a label to the port that it fits; say so if there are several."""
        ports = self._ports_for(name, text)
        if len(ports) < 2:
            return

        del self._general[name]
        rivals = CHECK_CHOICE if name in CHECK_CHOICE else {name}
        free = [port for port in ports if rivals.isdisjoint(self._labels.specific(port))]

        fitting, is_clear = self._fitting(name, text, ports, free)

        if is_clear:
            for port in fitting:
                self._by_port[port][name] = text
        elif fitting:
            self._notes[text.key] = _ambiguous(self._labels.container, name, text, fitting)

    def _ports_for(self, name: str, text: LabelText) -> tuple[int, ...]:
        """Return the ports that a label may be about."""
        is_of_nginx = text.key in foreign_words.ALL
        is_of_web = name != "PORT" and self._labels.web_port in self._refused
        if is_of_nginx or is_of_web:
            return (*self._ports, *self._refused)

        return self._ports

    def _fitting(
        self, name: str, text: LabelText, ports: Sequence[int], free: Sequence[int]
    ) -> tuple[Sequence[int], bool]:
        """Return the ports that a label fits, and whether it is clear that it means them."""
        if name == "PORT":
            fitting = _with_number(free, text)
            return fitting, len(fitting) == 1

        web = _web_ports(self._labels, ports)
        if not web:
            return free, False

        fitting = [port for port in free if port in web]
        # Ports that say each for itself that they speak http all do.
        all_say_so = all(_speaks_http(self._labels, port) for port in web)
        return fitting, len(fitting) == 1 or (name == "MODE" and all_say_so)

    def leave_to_those_that_heed(self, setting: Setting, text: LabelText) -> None:
        """Take a label that only some ports can heed from the others."""
        heeding = [port for port in self._ports if self._heeds(port, setting, text)]
        if setting.label not in self._general or not heeding:
            return

        del self._general[setting.label]
        for port in heeding:
            self._by_port[port].setdefault(setting.label, text)

    def _heeds(self, port: int, setting: Setting, text: LabelText) -> bool:
        own = self._by_port[port]
        if setting.checks:
            is_grpc_enough = "grpc" in setting.checks and "CHECK_GRPC" in own
            return "CHECK_HTTP" in own or is_grpc_enough

        # Only `hash:<header>` needs http.
        is_plain_balance = setting.label == "BALANCE" and ":" not in text.value
        if not setting.http_only or is_plain_balance:
            return True

        mode = own.get("MODE") or self._general.get("MODE")
        if mode is None:
            return bool({"HOSTS", "PATH"} & own.keys())

        return mode.value.lower() == "http"

    def result(self) -> Labels:
        """Return the labels as they are bound."""
        by_port = {**self._labels.by_port, **self._by_port}
        return replace(self._labels, general=self._general, by_port=by_port, notes=self._notes)


def _web_ports(labels: Labels, ports: Sequence[int]) -> tuple[int, ...]:
    """Return the ports that may speak http: those that are said to, else all that might."""
    if labels.web_port is not None and labels.web_port in ports:
        return (labels.web_port,)

    said = tuple(port for port in ports if _speaks_http(labels, port))
    if said:
        return said

    hosts = labels.general.get("HOSTS")
    is_of_nginx = hosts is not None and hosts.key == "VIRTUAL_HOST"
    if is_of_nginx and _NGINX_PORT in ports:
        return (_NGINX_PORT,)

    return tuple(port for port in ports if "MODE" not in labels.specific(port))


def _speaks_http(labels: Labels, port: int) -> bool:
    own = labels.specific(port)
    if "MODE" in own:
        return own["MODE"].value.strip().lower() == "http"
    return bool(_OF_HTTP & own.keys())


def _with_number(free: Sequence[int], text: LabelText) -> list[int]:
    """Return which of these ports a service port can be meant for: its own number, if it is one."""
    own = [port for port in free if text.value.strip() == str(port)]
    return own or list(free)


def _ambiguous(container: str, name: str, text: LabelText, ports: Sequence[int]) -> Problem:
    listed = ", ".join(str(port) for port in ports)
    choices = " or ".join(f"SERVICE_{port}_{name}" for port in ports[:_NAMED])
    if text.key.startswith("VIRTUAL_"):
        choices = f"VIRTUAL_PORT, {choices}"

    seen = f"{text.key} of {container} can be true of one port only, and might mean {listed}"
    return because("AMBIGUOUS_LABEL", f"{seen}: add the label {choices}")
