"""`make lab` and `make lab-down`: a fleet to try by hand.

python -m lab up|down|mend|clean
"""

import os
import sys
from pathlib import Path

from lab.fleet import Fleet
from lab.process import LabError

FOLDER = Path(".run/lab")


def main() -> int:
    """Do what the one argument says and return the exit status."""
    if os.geteuid() != 0:
        return _failed("namespaces and engines require root: sudo make lab")

    fleet = Fleet(FOLDER, say=_say)
    try:
        match sys.argv[1:]:
            case ["up"]:
                _up(fleet)
            case ["down"]:
                _down(fleet)
            case ["mend"]:
                fleet.lock()
                fleet.step("mending the fleet", fleet.mend)
            case ["clean"]:
                _down_all()
            case _:
                return _failed("usage: python -m lab up|down|mend|clean")
    except LabError as error:
        return _failed(str(error))

    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def _up(fleet: Fleet) -> None:
    if not fleet.stands():
        fleet.up()
    print(_how_to(fleet))


def _down(fleet: Fleet) -> None:
    fleet.lock()
    fleet.step(f"removing the fleet in {FOLDER.parent}/{fleet.folder.name}", fleet.down)


def _down_all() -> None:
    """Remove every fleet, also those that killed tests left."""
    for wire in FOLDER.parent.glob("*/wire.net"):
        _down(Fleet(wire.parent, say=_say))


def _how_to(fleet: Fleet) -> str:
    hosts = ", ".join(f"{host.name} {host.address}" for host in fleet.hosts)
    members = ", ".join(f"{member.name} {member.address}" for member in fleet.etcd.members)
    member = fleet.etcd.members[0]
    docker = fleet.h1.engine.socket
    at = FOLDER
    return f"""
The fleet is up. Each host has a Docker engine, the pair and HAProxy:
  hosts  {hosts}
  etcd   {members}

Run a service on h1, and call it from h2:
  docker -H unix://{docker} run -d -P -e SERVICE_NAME=whoami tandem-whoami
  nsenter --net={at}/h2.net curl -s 127.0.0.1:8000
Look:
  nsenter --net={at}/wire.net etcdctl --endpoints={member.endpoint} get --prefix /services/
  nsenter --net={at}/h2.net curl -s 127.0.0.1:9302/explain  also 9301; 1936: HAProxy's stats page
  less {at}/h2/discover.log                            and register.log, dockerd.log, ../e1/etcd.log
Break something:
  kill -STOP $(cat {at}/e1/etcd.pid)                   an etcd member is silent, until kill -CONT
  kill -9 $(cat {at}/h1/register.pid)                  likewise discover.pid, dockerd.pid
  nsenter --net={at}/wire.net ip link set h1 down      h1's cable is cut, until ... up
  .venv/bin/python -m lab mend                             all up again, without containers
Remove it:
  make lab-down
"""


def _failed(why: str) -> int:
    print(f"tandem: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
