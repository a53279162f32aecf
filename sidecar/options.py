"""Flags, environment variables and defaults of a sidecar: a table in, checked values out.

No side effects.
"""

import argparse
import ipaddress
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from catalog.access import Access, parse_members
from catalog.errors import Rejected
from catalog.host_port import host_port, split_host_port
from catalog.version import VERSION
from sidecar.log import LEVELS

MASKED = "***"
COMMAND = "COMMAND"
# What a command that takes a value was given.
ARGUMENT = "ARGUMENT"
EPILOG = "Each flag can also be set by the environment variable shown beside it; the flag wins."
NO_COMMANDS: Mapping[str, str] = MappingProxyType({})


class WrongSettings(Exception):
    """All mistakes in the settings, one line each. The process ends with status 2."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True)
class Option:
    """One setting: `NAME` in the environment, `--name` as a flag.

    `read` raises Rejected or ValueError.
    """

    name: str
    read: Callable[[str], Any]
    default: str | None
    meaning: str
    # Masked when settings are shown; may come from the file that NAME_FILE names.
    secret: bool = False

    @property
    def flag(self) -> str:
        """The flag on the command line."""
        return "--" + self.name.lower().replace("_", "-")


def values_of(
    options: Sequence[Option],
    program: str,
    about: str,
    argv: Sequence[str],
    environ: Mapping[str, str],
    commands: Mapping[str, str] = NO_COMMANDS,
    taking: Mapping[str, str] = NO_COMMANDS,
) -> dict[str, Any]:
    """Return every option's value: a flag beats a variable, which beats the default.

    `commands` are flags with their meanings; the value of `COMMAND` is the one that was given. Of
    those in `taking`, which names what each takes, the value of `ARGUMENT` is what it was given.
    An empty variable counts as not given. Raises WrongSettings with all mistakes. Prints and exits
    for --help, as argparse does.
    """
    flags, mistakes = _flags(_parser(options, program, about, commands, taking), argv)
    values: dict[str, Any] = {name: flags.pop(name, None) for name in (COMMAND, ARGUMENT)}

    for option in options:
        try:
            text = _given(option, flags, environ)
            values[option.name] = None if text is None else option.read(text)
        except (Rejected, ValueError) as error:
            source = option.flag if option.name in flags else option.name
            mistakes.append(f"{source}: {error}")

    if mistakes:
        raise WrongSettings(mistakes)
    return values


def shown(options: Sequence[Option], values: Mapping[str, Any]) -> dict[str, str]:
    """Return the effective settings as texts, secrets masked."""
    texts = {}
    for option in options:
        value = values[option.name]
        is_masked = option.secret and value is not None
        texts[option.name] = MASKED if is_masked else _text(value)
    return texts


def _text(value: Any) -> str:
    match value:
        case None:
            return "-"
        case (str() as host, int() as port):
            return host_port(host, port)
        case (None, int() as port):
            return str(port)
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(map(str, value))
    return str(value)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise WrongSettings([message])


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        sys.stdout.write(f"{parser.prog} {VERSION}\n")
        parser.exit()


class _Taking(argparse.Action):
    """A command that takes a value."""

    def __call__(self, _parser: object, flags: argparse.Namespace, *given: Any) -> None:
        vars(flags).update({COMMAND: self.option_strings[0].lstrip("-"), ARGUMENT: given[0]})


def _flags(
    parser: argparse.ArgumentParser, argv: Sequence[str]
) -> tuple[dict[str, str], list[str]]:
    """Return the texts of the flags that were given, and the mistakes."""
    known, unknown = parser.parse_known_args(argv)

    given = {name: text for name, text in vars(known).items() if text is not None}
    mistakes = [f"{argument}: no such flag, --help lists them" for argument in unknown]
    return given, mistakes


def _parser(
    options: Sequence[Option],
    program: str,
    about: str,
    commands: Mapping[str, str],
    taking: Mapping[str, str],
) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=program,
        usage=f"{program} [--flag VALUE …]",
        description=about,
        epilog=EPILOG,
        allow_abbrev=False,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=44, width=116),
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="show program's version number and exit"
    )

    one_command = parser.add_mutually_exclusive_group()
    for name, meaning in commands.items():
        how: dict[str, Any] = {"dest": COMMAND, "action": "store_const", "const": name}
        if name in taking:
            how = {"dest": ARGUMENT, "action": _Taking, "metavar": taking[name]}
        one_command.add_argument(f"--{name}", help=meaning, **how)

    for option in options:
        default = f" (default: {option.default})" if option.default else ""
        parser.add_argument(
            option.flag,
            dest=option.name,
            metavar=option.name,
            help=(option.meaning + default).replace("%", "%%"),
        )
    return parser


def _given(option: Option, flags: Mapping[str, str], environ: Mapping[str, str]) -> str | None:
    """Return an option's text, from the first place that has it."""
    if option.name in flags:
        return flags[option.name]
    if environ.get(option.name):
        return environ[option.name]

    from_file = f"{option.name}_FILE"
    if option.secret and environ.get(from_file):
        return _secret(from_file, environ[from_file])
    return option.default


def _secret(name: str, path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Rejected(f"{name}={path} cannot be read: {error}") from error


# Readers: text to value, or Rejected with what would be right.


def one_of(*choices: str) -> Callable[[str], str]:
    """Return the reader of an enumerated value."""

    def read(text: str) -> str:
        if text.lower() not in choices:
            raise Rejected(f"{text!r} is not one of {', '.join(choices)}")
        return text.lower()

    return read


def number(low: int, high: int, unit: str) -> Callable[[str], int]:
    """Return the reader of a whole number."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise Rejected(f"{text!r} is not a whole number of {unit} from {low} to {high}")
        return int(text)

    return read


def boolean(text: str) -> bool:
    """Return a real boolean: `false`, `0`, `no` and `off` are false."""
    word = text.strip().lower()
    if word in ("true", "1", "yes", "on"):
        return True
    if word in ("false", "0", "no", "off"):
        return False
    raise Rejected(f"{text!r} is neither true nor false")


def address(text: str) -> tuple[str, int]:
    """Return host and port of `ip:port`; an IPv6 address stands in brackets."""
    wrong = Rejected(f"{text!r} is not ip:port, such as 127.0.0.1:8080 or [::1]:8080")
    host, port = split_host_port(text)
    try:
        ip = str(ipaddress.ip_address(host))
    except ValueError as error:
        raise wrong from error

    if ":" in ip and not text.startswith("["):
        raise wrong
    if not port.isdigit() or not 1 <= int(port) <= 65535:
        raise wrong

    return ip, int(port)


def address_or_off(text: str) -> tuple[str, int] | None:
    """Return host and port of `ip:port`, or None for `off`."""
    return None if text.strip().lower() == "off" else address(text)


def readable_file(text: str) -> Path:
    """Return the path of a file that can be read."""
    try:
        with Path(text).open("rb"):
            return Path(text)
    except OSError as error:
        raise Rejected(f"{text!r} cannot be read: {error.strerror}") from error


def prefix(text: str) -> str:
    """Return an etcd key prefix: begins with a slash, ends without."""
    is_plain = text.isascii() and text.isprintable() and " " not in text
    if not text.startswith("/") or len(text) > 200 or not is_plain:
        raise Rejected(f"{text!r} is not a key prefix such as /services")
    return text.rstrip("/")


COMMON = (
    Option(
        "ETCD_HOST",
        parse_members,
        "127.0.0.1:2379",
        "host[:port] of etcd, several separated by commas, https:// allowed",
    ),
    Option(
        "ETCD_PREFIX",
        prefix,
        "/services",
        "prefix of all keys; tenants with different prefixes can share one etcd",
    ),
    Option("ETCD_CA_CERT", readable_file, None, "CA certificate of etcd; turns TLS on"),
    Option("ETCD_CERT", readable_file, None, "client certificate, with ETCD_KEY"),
    Option("ETCD_KEY", readable_file, None, "key of the client certificate"),
    Option("ETCD_USER", str, None, "user name, with ETCD_PASSWORD"),
    Option(
        "ETCD_PASSWORD",
        str,
        None,
        "password; ETCD_PASSWORD_FILE names a file that holds it",
        secret=True,
    ),
    Option("LOG_LEVEL", one_of(*LEVELS), "info", "debug, info, warning or error"),
    Option("LOG_FORMAT", one_of("text", "json"), "text", "text, or json for log collectors"),
)


def access_of(values: Mapping[str, Any]) -> Access:
    """Return how to reach etcd from the values of COMMON. Raises WrongSettings."""
    try:
        return Access(
            members=values["ETCD_HOST"],
            ca_cert=values["ETCD_CA_CERT"],
            cert=values["ETCD_CERT"],
            key=values["ETCD_KEY"],
            user=values["ETCD_USER"],
            password=values["ETCD_PASSWORD"],
        )
    except Rejected as error:
        raise WrongSettings([str(error)]) from error
