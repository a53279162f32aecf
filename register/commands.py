"""`docker-register --drain` and `--undrain`: a process of its own, beside the host's registrar or without one."""

import logging
import sys
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass

from catalog.errors import Rejected, Unavailable
from catalog.keys import DrainedKey, OwnerKey, instances_root, key_of
from catalog.store import Store
from register.docker.source import DockerSource, Engine
from register.host.drain import Drain, DrainSettings, undrain
from register.host.host import Surroundings, host_id, this_life
from register.host.owner import HostOwner
from register.records.host_state import Command, Host
from register.settings import RegisterSettings
from sidecar.options import WrongSettings
from sidecar.retry import keep_running

log = logging.getLogger(__name__)

STORE_DEADLINE_S = 3.0
LIMIT_S = 60.0  # beyond the wait: somebody stands before the terminal


@dataclass(frozen=True, slots=True)
class _Me:
    host: str
    is_default: bool  # this machine's own id, which nobody can have mistyped
    owner: HostOwner


def run(settings: RegisterSettings, command: Command, around: Surroundings) -> None:
    """Do what was asked and return; ends the process with status 1 if it cannot be done. Raises WrongSettings."""
    me = _me(settings, around)
    store, stop, done = (
        Store(settings.access, deadline_s=STORE_DEADLINE_S),
        threading.Event(),
        threading.Event(),
    )

    def once() -> None:
        if command == "undrain":
            undrain(store, settings.prefix, me.host)
        else:
            if not me.is_default:
                _check_known(store, settings.prefix, me.host)
            plan = DrainSettings(settings.prefix, me.host, settings.ttl_s, settings.drain_wait_s)
            Drain(store, plan, me.owner, stop.wait).run()
        done.set()
        stop.set()

    limit = threading.Timer(LIMIT_S + settings.drain_wait_s, stop.set)
    limit.daemon = True
    limit.start()
    try:
        keep_running(once, name=f"--{command}", stop=stop, cap_s=settings.ttl_s / 3)
    except Rejected as error:
        sys.exit(f"docker-register: --{command}: {error}")
    finally:
        limit.cancel()
        store.close()
    if not done.is_set():
        sys.exit(
            f"docker-register: --{command}: not done in time; run it again, it goes on where it was"
        )


def _me(settings: RegisterSettings, around: Surroundings) -> _Me:
    engine = Engine(None, None)
    source = DockerSource(settings.docker_host, settings.docker_environ)
    try:
        engine = source.engine()
    except Unavailable as error:
        log.warning("the engine does not say who it is: %s", error)
    finally:
        source.close()
    host = Host(host_id(settings.host_id, around, engine), settings.host_ip or "", engine.id)
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    is_default = settings.host_id is None
    with suppress(WrongSettings):
        is_default = is_default or host.id == host_id(None, around, engine)
    return _Me(host.id, is_default, this_life(str(uuid.uuid4()), since, host, around))


def _check_known(store: Store, prefix: str, host: str) -> None:
    """Raise Rejected for a host that etcd knows nothing of: a mark under a mistyped id would stay for good."""
    own = (key_of(prefix, OwnerKey(host)), key_of(prefix, DrainedKey(host)))
    if not any(map(store.get, own)) and not store.list(instances_root(prefix, host)).entries:
        raise Rejected(
            f"no registrar writes for HOST_ID {host} and nothing of it is published: nothing was drained"
        )
