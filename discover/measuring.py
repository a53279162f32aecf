"""Wire what measures how fast containers come into HAProxy."""

import time

from discover.host_model import here
from discover.latency.histogram import StartToApplied
from discover.latency.starts import Starts
from discover.reconcile import Reconcile
from discover.settings import DiscoverSettings
from discover.snapshot.keeper import Keeper
from discover.snapshot.snapshot import Snapshot
from discover.this_host import policy_of
from sidecar.status.metrics import Metrics


def measured_starts(
    settings: DiscoverSettings, keeper: Keeper, reconcile: Reconcile, metrics: Metrics
) -> StartToApplied:
    """Return the measure, which each round of the reconcile actor feeds."""
    measure = StartToApplied(metrics)

    def take(host: str, seconds: float) -> None:
        is_own = host in here(keeper.state.view, policy_of(settings))
        measure.add("own" if is_own else "other", seconds)

    starts = Starts(take)

    def follow(snapshot: Snapshot | None) -> None:
        # What an earlier life knew is no beginning: what started since did not start now.
        if snapshot is not None and keeper.listed:
            starts.look(snapshot, reconcile.running.config, time.time())

    reconcile.followers.append(follow)
    return measure
