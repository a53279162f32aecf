"""Wire overrides: who this host is, and how long etcd has said nothing."""

from discover.host_model import here
from discover.overrides.overrides import Overrides
from discover.settings import DiscoverSettings
from discover.snapshot.etcd_watch import CatalogWatch
from discover.this_host import policy_of
from sidecar.trigger import Trigger


def overrides_of(settings: DiscoverSettings, watch: CatalogWatch, apply: Trigger) -> Overrides:
    """Return the overrides of this host; `apply` is fired when they may have to end soon."""
    watch.on_silence = lambda: apply.fire("etcd is silent")
    return Overrides(lambda snapshot: here(snapshot, policy_of(settings)), watch.silent_s)
