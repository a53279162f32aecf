"""Where etcd is: the flags and variables of the sidecars. Opens nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from catalog.access import Access
from ctl.ends import WRONG_USE, End
from sidecar.options import COMMON, WrongSettings, access_of, values_of

OPTIONS = tuple(option for option in COMMON if option.name.startswith("ETCD_"))


@dataclass(frozen=True, slots=True)
class Reach:
    """How to reach the pair: its etcd, and the prefix of its keys there."""

    access: Access
    prefix: str

    def __str__(self) -> str:
        return ",".join(map(str, self.access.members))


def reach_of(flags: Mapping[str, str], environ: Mapping[str, str]) -> Reach:
    """Return it from flags, which beat variables, which beat defaults. Raises End."""
    argv = [f"{option.flag}={flags[option.name]}" for option in OPTIONS if option.name in flags]
    try:
        values = values_of(OPTIONS, "tandem", "", argv, environ)
        return Reach(access_of(values), values["ETCD_PREFIX"])
    except WrongSettings as error:
        raise End(WRONG_USE, "\n".join(f"wrong setting: {it}" for it in error.mistakes)) from error
