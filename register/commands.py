"""`docker-register --drain` and `--undrain`, beside the host's registrar or without one."""

import logging
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass

from catalog.errors import Rejected, Unavailable
from catalog.keys import DrainedKey, OwnerKey, instances_root, key_of
from catalog.store import Store
from register.docker.source import Engine
from register.host.drain import Drain, DrainSettings
from register.host.drain_mark import undrain
from register.host.identity import Surroundings, host_id
from register.host.owner import HostOwner
from register.records.host_state import Command, Host
from register.registrar import docker_source, new_life
from register.settings import RegisterSettings
from sidecar.options import WrongSettings
from sidecar.retry import keep_running

log = logging.getLogger(__name__)

STORE_DEADLINE_S = 3.0
LIMIT_S = 60.0  # beyond the wait: somebody waits at the terminal


@dataclass(frozen=True, slots=True)
class _Commander:
    """The process that runs a command, and the host that it is about."""

    host: str
    is_default: bool  # this machine's own id, which nobody can have mistyped
    owner: HostOwner


def run(settings: RegisterSettings, command: Command, surroundings: Surroundings) -> None:
    """Do the command and return; exit with status 1 if it cannot be done.

    Raises WrongSettings.
    """
    commander = _commander(settings, surroundings)
    store = Store(settings.access, deadline_s=STORE_DEADLINE_S)
    stop, done = threading.Event(), threading.Event()

    def once() -> None:
        if command == "undrain":
            undrain(store, settings.prefix, commander.host)
        else:
            _drain(store, settings, commander, stop)
        done.set()
        stop.set()

    limit = threading.Timer(LIMIT_S + settings.drain_wait_s, stop.set)
    limit.daemon = True
    limit.start()
    try:
        keep_running(once, name=f"--{command}", stop=stop, cap_s=settings.longest_pause_s)
    except Rejected as error:
        sys.exit(f"docker-register: --{command}: {error}")
    finally:
        limit.cancel()
        store.close()

    if not done.is_set():
        why = "not finished in time; run it again, it continues where it stopped"
        sys.exit(f"docker-register: --{command}: {why}")


def _drain(
    store: Store, settings: RegisterSettings, commander: _Commander, stop: threading.Event
) -> None:
    if not commander.is_default:
        _check_known(store, settings.prefix, commander.host)

    drain_settings = DrainSettings(
        settings.prefix, commander.host, settings.ttl_s, settings.drain_wait_s
    )
    Drain(store, drain_settings, commander.owner, stop.wait).run()


def _check_known(store: Store, prefix: str, host: str) -> None:
    """Raise Rejected for a host that etcd knows nothing of.

    A mark under a mistyped id would stay for good.
    """
    own = (key_of(prefix, OwnerKey(host)), key_of(prefix, DrainedKey(host)))
    if any(map(store.get, own)) or store.list(instances_root(prefix, host)).entries:
        return

    seen = f"HOST_ID {host} has no registrar and no published instances"
    raise Rejected(f"{seen}: nothing was drained")


def _commander(settings: RegisterSettings, surroundings: Surroundings) -> _Commander:
    engine = _engine(settings)
    identity = host_id(settings.host_id, surroundings, engine)
    host = Host(identity, settings.host_ip or "", engine.id)

    is_default = settings.host_id is None
    with suppress(WrongSettings):
        is_default = is_default or host.id == host_id(None, surroundings, engine)
    return _Commander(host.id, is_default, new_life(host, surroundings))


def _engine(settings: RegisterSettings) -> Engine:
    source = docker_source(settings)
    try:
        return source.engine()
    except Unavailable as error:
        log.warning("cannot read the engine's name and id: %s", error)
        return Engine(None, None)
    finally:
        source.close()
