"""Where etcd is: the flags and variables of the sidecars, or a context. Opens no connection."""

from collections.abc import Mapping
from dataclasses import dataclass

from catalog.access import Access
from ctl.contexts import Context
from ctl.ends import WRONG_USE, End
from sidecar.options import COMMON, WrongSettings, access_of, values_of

OPTIONS = tuple(option for option in COMMON if option.name.startswith("ETCD_"))
NO_CONTEXT = Context("", {})


@dataclass(frozen=True, slots=True)
class Reach:
    """How to reach the pair: its etcd, the prefix of its keys there, and the context that says so.

    `context` is empty if flags and variables say it.
    """

    access: Access
    prefix: str
    context: str = ""

    def __str__(self) -> str:
        return ",".join(map(str, self.access.members))


def reach_of(
    flags: Mapping[str, str], environ: Mapping[str, str], context: Context = NO_CONTEXT
) -> Reach:
    """Return it from flags, which beat a context or else variables, which beat defaults.

    Raises End. A context is whole: a variable that is meant for another etcd is not mixed in.
    """
    argv = [f"{option.flag}={flags[option.name]}" for option in OPTIONS if option.name in flags]
    try:
        values = values_of(OPTIONS, "tandem", "", argv, context.settings or environ)
        return Reach(access_of(values), values["ETCD_PREFIX"], context.name)
    except WrongSettings as error:
        where = f"context {context.name}: " if context.name else ""
        mistakes = [f"{where}wrong setting: {it}" for it in error.mistakes]
        raise End(WRONG_USE, "\n".join(mistakes)) from error
