"""A program that asks etcd for the names that TAB offers, and keeps them in a file.

    python -m ctl.completion.learn PATH

Where etcd is stands in its environment. Nobody reads what it says.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from catalog.asking.said_keys import said_root
from catalog.errors import Unavailable
from catalog.keys import hosts_root
from catalog.store import Store
from ctl.completion.cache import write
from ctl.ends import End
from ctl.fleet import fleet_of
from ctl.settings import Reach, reach_of
from ctl.view.published import published_of

DEADLINE_S = 3.0


def names_of(reach: Reach) -> Mapping[str, set[str]]:
    """Return the names of each kind that etcd has. Raises Unavailable."""
    store = Store(reach.access, deadline_s=DEADLINE_S)
    try:
        hosts = store.list(hosts_root(reach.prefix)).entries
        said = store.list(said_root(reach.prefix)).entries
    finally:
        store.close()

    fleet = fleet_of(reach.prefix, hosts, said)
    instances = [it.instance for it in published_of(reach.prefix, hosts)]
    refused = (row.where for it in fleet.refusals.values() for row in it.rows)
    return {
        "services": {it.service for it in instances},
        "containers": {it.container_name for it in instances}
        | {where.partition(":")[0] for where in refused},
        "doors": {host for it in instances for host in it.hosts},
        "hosts": {*fleet.proxies, *fleet.owners},
    }


def main() -> int:
    """Keep the names; if etcd does not answer, those that were kept stay."""
    try:
        write(Path(sys.argv[1]), names_of(reach_of({}, os.environ)))
    except (End, Unavailable, OSError):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
