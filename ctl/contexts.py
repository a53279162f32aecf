"""Contexts: settings by name in `~/.config/tandem/config.toml`, and which of them is used.

    [contexts.prod]
    etcd_host = "192.0.2.10,192.0.2.11"
    etcd_prefix = "/prod"

Which one is used unless a line says it stands beside it, in the file `context`.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ctl.ends import NOT_FOUND, WRONG_USE, End
from ctl.view.names import not_found

VARIABLE = "TANDEM_CONTEXT"
KEYS = (
    "etcd_host", "etcd_prefix", "etcd_ca_cert", "etcd_cert", "etcd_key", "etcd_user",
    "etcd_password_file",
)  # fmt: skip
BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Context:
    """A name, and the variables that it stands for."""

    name: str
    settings: Mapping[str, str]


def folder_of(environ: Mapping[str, str]) -> Path:
    """Return where tandem's own settings are."""
    home = environ.get("HOME") or "/"
    return Path(environ.get("XDG_CONFIG_HOME") or Path(home, ".config"), "tandem")


def context_of(environ: Mapping[str, str], asked: str | None = None) -> Context:
    """Return the context of a line. Raises End.

    `--context` beats TANDEM_CONTEXT, which beats all variables ETCD_..., which beat the one in use.
    """
    name = asked or environ.get(VARIABLE, "")
    if not name and not any(it.startswith("ETCD_") and environ[it] for it in environ):
        name = used(environ)
    if not name:
        return Context("", {})

    contexts = read(environ)
    if name not in contexts:
        path = folder_of(environ) / "config.toml"
        raise End(NOT_FOUND, f"no context in {path}: {not_found(name, contexts)}")
    return contexts[name]


def read(environ: Mapping[str, str]) -> Mapping[str, Context]:
    """Return all contexts; none if there is no file. Raises End."""
    path = folder_of(environ) / "config.toml"
    try:
        with path.open("rb") as file:
            document = tomllib.loads(file.read(BYTES_MAX).decode())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise End(WRONG_USE, f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise End(WRONG_USE, f"{path} is not TOML: {error}") from error

    if mistakes := _mistakes(document):
        raise End(WRONG_USE, "\n".join(f"{path}: {mistake}" for mistake in mistakes))
    return {
        name: Context(name, {key.upper(): value for key, value in settings.items()})
        for name, settings in document.get("contexts", {}).items()
    }


def _mistakes(document: Mapping[str, object]) -> list[str]:
    mistakes = [
        f"{key}: unknown, only [contexts.NAME] is read" for key in document.keys() - {"contexts"}
    ]
    contexts = document.get("contexts", {})
    if not isinstance(contexts, dict):
        return [*mistakes, "contexts: is not a table: write [contexts.NAME]"]

    for name, settings in contexts.items():
        where = f"contexts.{name}"
        if not name.isprintable() or not name:
            mistakes.append(f"{where!a}: is not a name")
        if not isinstance(settings, dict) or not settings:
            mistakes.append(f"{where}: has no settings such as etcd_host")
            continue
        for key, value in settings.items():
            if key not in KEYS:
                mistakes.append(f"{where}.{key}: unknown, known are {', '.join(KEYS)}")
            elif not isinstance(value, str) or not value:
                mistakes.append(f"{where}.{key}: {value!r:.40} is not a text")
    return mistakes


def used(environ: Mapping[str, str]) -> str:
    """Return the name of the context in use, or nothing. Raises End."""
    path = folder_of(environ) / "context"
    try:
        return path.read_text()[:1000].strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise End(WRONG_USE, f"{path} cannot be read: {error}") from error


def use(environ: Mapping[str, str], name: str) -> None:
    """Use a context from now on; no name: none. Raises End."""
    path = folder_of(environ) / "context"
    fresh = path.with_name("context.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(f"{name}\n")
        fresh.replace(path)
    except OSError as error:
        raise End(WRONG_USE, f"{path} cannot be written: {error.strerror}") from error
