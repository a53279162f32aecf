"""The architecture of CONTRIBUTING, held by walking the imports of every module."""

import ast
import functools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent
ROOMS = ("catalog", "sidecar", "register", "discover", "ctl", "templates", "stub", "lab")

# Who may import whom, besides itself. `templates` holds no code.
ARROWS = {
    "catalog": set[str](),
    "sidecar": {
        "catalog.errors",
        "catalog.access",
        "catalog.host_port",
        "catalog.version",
        "catalog.without_modules",
    },
    "register": {"catalog", "sidecar"},
    "discover": {"catalog", "sidecar"},
    "ctl": {"catalog", "sidecar"},
    "templates": set[str](),
    # no part of the pair: what docker-stub runs
    "stub": set[str](),
    # runs the pair from outside, as processes
    "lab": {"bench.load"},
}
# Inside the pair, room by room: who may import whom, besides itself. What stands at the root of
# the package (settings, the loop, the wiring) may import every room; `reasons` may be imported by
# all.
INNER_ARROWS = {
    "register": {
        "docker": set[str](),
        "offer": {"docker"},
        "ready": {"docker", "offer"},
        "records": set[str](),
        "host": {"docker", "records"},
        "ports": {"docker", "records"},
        "answers": {"docker", "offer", "records"},
    },
    "discover": {
        "snapshot": set[str](),
        "model": {"snapshot"},
        "text": {"model"},
        "pages": {"model"},
        "claims": {"snapshot", "model"},
        "overrides": {"snapshot"},
        "haproxy": {"model"},
        "operator": {"text", "model", "snapshot"},
        "stubs": {"haproxy", "text", "model"},
        "latency": {"model", "snapshot"},
        "intercepts": {"model"},
        "apply": {
            "intercepts",
            "stubs",
            "operator",
            "haproxy",
            "text",
            "model",
            "snapshot",
        },
        "answers": {"apply", "model", "journal", "snapshot"},
        "journal": {"snapshot", "apply", "model"},
        "calls": {"answers", "apply", "model"},
    },
    "ctl": {
        "view": {"asking", "fleet"},
        "overrides": {"view", "asking", "fleet", "ends"},
        "completion": {"view", "fleet", "settings", "contexts", "ends"},
        "line": {"completion", "view", "settings", "contexts", "ends"},
        "intercepts": {"view", "asking", "fleet", "settings", "ends"},
        "examine": {"view"},
        "past": {"view", "asking", "fleet"},
        "commands": {
            *("line", "completion", "view", "intercepts", "overrides", "examine", "past"),
            *("asking", "fleet", "settings", "contexts", "ends"),
        },
    },
}
FOR_ALL = {"reasons"}
# Each outside library is imported where this says, and nowhere else.
DOORS = {
    "docker": {"register.docker.library"},
    "requests": {"register.docker.library"},
    "urllib3": {"register.docker.library"},
    "etcd3": {"catalog.etcd.library"},
    "grpc": {"catalog.etcd.library"},
    "google": {"catalog.etcd.rpc"},
    "jinja2": {"discover.text.environment"},
    "watchdog": {"discover.operator.file_watch"},
    "yaml": {"discover.operator.services_yaml", "stub.documents", "ctl.line.yaml_text"},
    "tenacity": {"sidecar.retry"},
    "prometheus_client": {"sidecar.status.metrics"},
    "sqlite3": {"discover.journal.file"},
    "click": {"ctl.program", "ctl.commands", "ctl.line", "ctl.completion"},
    "starlette": {"stub.app"},
    "uvicorn": {"stub.__main__"},
}
# Standard modules with an effect, where it is an adapter's: room -> modules that may.
EFFECTS = {
    ("discover", "subprocess"): {"discover.haproxy.process"},
    # guard waits on HAProxy's master socket, and ring reads there; ports asks for the bridge's
    # address and tries a port
    ("discover", "socket"): {
        "discover.haproxy.process",
        "discover.haproxy.ports",
        "discover.haproxy.guard",
        "discover.calls.ring",
    },
    ("register", "subprocess"): set[str](),
}
# The environment is an argument everywhere else; etcd.library sets in it what grpc reads at import,
# and docker.library asks it at import whether docker needs TLS.
READS_ENVIRONMENT = {
    "sidecar.program",
    "register.__main__",
    "discover.__main__",
    "ctl.__main__",
    "ctl.completion.learn",
    "catalog.etcd.library",
    "register.docker.library",
}
# Who reads the catalogue of faults without being one.
OF_CHAOS = {"tests.docs.test_faults": {"tests.chaos.catalogue"}}
# What stands for an assertion in a test: functions whose names say that they make one.
ASSERTING = re.compile(r"_?(assert|wait|expect|check)(_|$)|raises$|fail$")
# Who may let time pass, and why; all others wait for what they need.
LETS_TIME_PASS = {
    "tests.parts.wait": "defines it",
    "tests.parts.writes": "asks an etcd that is away at a pace",
    "tests.contract.faults.test_herd": "is an etcd that takes seconds for each request",
    "tests.contract.store.test_failing": "spreads a race over connecting and calling",
    "tests.contract.store.test_watch": "spreads a race over asking and waiting",
    "tests.chaos.world": "lets a fault last",
    "tests.chaos.test_churn": "makes changes at a pace",
}
MOST_LINES_OF_A_FILE = 320
MOST_FILES_OF_A_ROOM = 12
MOST_LINES_OF_A_FUNCTION = 60
# Where this or that machine keeps things; nothing that is committed may depend on it.
OF_ONE_MACHINE = ("/work/", "/tmp/lab", "/root/", "/home/")


@dataclass(frozen=True)
class Module:
    name: str  # with dots
    path: Path

    @functools.cached_property
    def text(self) -> str:
        return self.path.read_text()

    @functools.cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    @property
    def room(self) -> str:
        return self.name.partition(".")[0]

    @functools.cached_property
    def imports(self) -> tuple[tuple[str, int], ...]:
        """Every imported name with its line: `from a.b import c` counts as a.b.c if that is a
        module, else a.b.
        """
        found: list[tuple[str, int]] = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [(alias.name, node.lineno) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, (
                    f"{self.path}:{node.lineno}: a relative import, write it in full"
                )
                inner = [f"{node.module}.{alias.name}" for alias in node.names]
                found += [
                    (name if _is_module(name) else str(node.module), node.lineno) for name in inner
                ]
        return tuple(found)


def _is_module(name: str) -> bool:
    path = HOUSE.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def _modules() -> tuple[Module, ...]:
    paths = sorted(path for room in ROOMS for path in (HOUSE / room).rglob("*.py"))
    return tuple(
        Module(".".join(path.relative_to(HOUSE).with_suffix("").parts), path) for path in paths
    )


MODULES = _modules()
each_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)


def _within(name: str, allowed: set[str]) -> bool:
    return any(name == door or name.startswith(door + ".") for door in allowed)


@each_module
def test_imports_follow_the_arrows(module: Module) -> None:
    allowed = ARROWS[module.room] | {module.room}
    wrong = [
        f"{module.path}:{line}: {module.room} must not import {name}; it may import "
        f"{', '.join(sorted(allowed))}"
        for name, line in module.imports
        if name.partition(".")[0] in {*ROOMS, "tests", "bench"} and not _within(name, allowed)
    ]
    assert not wrong, "\n".join(wrong)


@each_module
def test_inner_rooms_follow_their_arrows(module: Module) -> None:
    package, room = _inner(module.name)
    allowed = INNER_ARROWS.get(package, {}).get(room)
    if allowed is None:
        return  # at the root, or in a room without rooms inside

    may = allowed | FOR_ALL | {room}
    wrong = [
        f"{module.path}:{line}: {package}/{room} must not import {name}; it may import "
        f"{sorted(may)}"
        for name, line in module.imports
        if _inner(name)[0] == package and _inner(name)[1] not in may
    ]
    assert not wrong, "\n".join(wrong)


def _inner(name: str) -> tuple[str, str]:
    """Return the package of a module's name, and the room in it, or the file at its root."""
    package, _, rest = name.partition(".")
    return package, rest.partition(".")[0]


@pytest.mark.parametrize("package", sorted(INNER_ARROWS))
def test_every_room_has_its_arrows(package: str) -> None:
    rooms = {path.parent.name for path in (HOUSE / package).glob("*/__init__.py")}
    assert rooms == INNER_ARROWS[package].keys()


@pytest.mark.parametrize("package", sorted({*INNER_ARROWS, "sidecar"}))
def test_no_room_is_full(package: str) -> None:
    inside = (module.path for module in MODULES if module.room == package)
    files = Counter(path.parent for path in inside if path.name != "__init__.py")

    full = [
        f"{room}: {count} files" for room, count in files.items() if count > MOST_FILES_OF_A_ROOM
    ]
    assert not full, f"{MOST_FILES_OF_A_ROOM} files are the most: " + ", ".join(full)


@each_module
def test_outside_libraries_have_one_door(module: Module) -> None:
    doors = {
        (room, library): allowed for room in ROOMS for library, allowed in DOORS.items()
    } | EFFECTS
    wrong = [
        f"{module.path}:{line}: {name} is imported only in "
        f"{', '.join(sorted(doors[key])) or 'nowhere here'}"
        for name, line in module.imports
        if (key := (module.room, name.partition(".")[0])) in doors
        and not _within(module.name, doors[key])
    ]
    assert not wrong, "\n".join(wrong)


@each_module
def test_the_environment_is_an_argument(module: Module) -> None:
    wrong = [
        f"{module.path}:{node.lineno}: os.{node.attr}: only "
        f"{', '.join(sorted(READS_ENVIRONMENT))} may read it"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("environ", "getenv")
        and module.name not in READS_ENVIRONMENT
    ]
    assert not wrong, "\n".join(wrong)


@each_module
def test_files_and_functions_stay_readable(module: Module) -> None:
    functions = (
        node
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    sizes = [
        (f"{f.name}() at line {f.lineno}", _lines(f), MOST_LINES_OF_A_FUNCTION) for f in functions
    ]
    sizes.append(("the file", len(module.text.splitlines()), MOST_LINES_OF_A_FILE))
    wrong = [
        f"{module.path}: {what} has {lines} lines, {most} is the most"
        for what, lines, most in sizes
        if lines > most
    ]
    assert not wrong, "\n".join(wrong)


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


@each_module
def test_every_file_says_what_it_is_for(module: Module) -> None:
    if module.path.name == "__init__.py":
        assert len(module.tree.body) <= 1, f"{module.path} has its sentence only: no work at import"

    if module.path.name != "__init__.py" or module.room in INNER_ARROWS:
        assert ast.get_docstring(module.tree), f"{module.path} must say first what it is for"


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {
        module.name: {name for name, _ in module.imports if _is_module(name)} for module in MODULES
    }
    circles = [" -> ".join(circle) for circle in _circles(graph)]
    assert not circles, "\n".join(circles)


def _circles(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> Iterator[list[str]]:
        if name in way:
            yield [*way[way.index(name) :], name]
        elif name not in done:
            for imported in sorted(graph.get(name, ())):
                yield from visit(imported, [*way, name])
            done.add(name)

    for name in graph:
        yield from visit(name, [])


def test_nothing_depends_on_one_machine() -> None:
    places = (
        "register",
        "discover",
        "catalog",
        "sidecar",
        "ctl",
        "templates",
        "stub",
        "images",
        "tests",
        "bench",
        "lab",
        "docs",
        ".ci",
    )
    files = [path for place in places for path in (HOUSE / place).rglob("*") if _is_ours(path)]
    files += [path for path in HOUSE.iterdir() if _is_ours(path)]
    wrong = [
        f"{path}:{number}: names {word}"
        for path in files
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        for word in OF_ONE_MACHINE
        if word in line
    ]
    assert not wrong, "\n".join(wrong)


def _is_ours(path: Path) -> bool:
    unread = (
        {"wheels", "__pycache__", ".git"} & set(path.parts)
        or path.suffix == ".lock"
        or path == Path(__file__)
    )
    return path.is_file() and not unread


TESTS = tuple(
    Module(".".join(path.relative_to(HOUSE).with_suffix("").parts), path)
    for path in sorted((HOUSE / "tests").rglob("*.py"))
)


@pytest.mark.parametrize("module", TESTS, ids=lambda module: module.name)
def test_no_test_imports_another(module: Module) -> None:
    """What two tests share is a part; the faults of tests/chaos are a package of their own."""
    chaos = {"tests.chaos"} if module.name.startswith("tests.chaos.") else set[str]()
    allowed = {"tests.parts"} | chaos | OF_CHAOS.get(module.name, set())
    wrong = [
        f"{module.path}:{line}: imports {name}: move what is shared to tests/parts"
        for name, line in module.imports
        if name.startswith("tests.") and not _within(name, allowed)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", TESTS, ids=lambda module: module.name)
def test_every_test_asserts_something(module: Module) -> None:
    silent = [
        f"{module.path}:{test.lineno}: {test.name} shows no assertion: write one, or call a helper"
        " whose name is one (assert_, wait_, expect_, check_)"
        for test in ast.walk(module.tree)
        if isinstance(test, ast.FunctionDef)
        and test.name.startswith("test_")
        and not any(map(_asserts, ast.walk(test)))
    ]
    assert not silent, "\n".join(silent)


def _asserts(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return ASSERTING.match(_name_of(node.func)) is not None
    return isinstance(node, ast.Assert)


def _name_of(called: ast.expr) -> str:
    """Return the last part of what is called: `f` of f() and of a.f()."""
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else ""


@pytest.mark.parametrize("module", TESTS, ids=lambda module: module.name)
def test_no_test_sleeps(module: Module) -> None:
    sleeping = [
        f"{module.path}:{node.lineno}: wait for what you need with tests/parts/wait.py"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and _lets_time_pass(node)
    ]
    assert not sleeping or module.name in LETS_TIME_PASS, "\n".join(sleeping)


def _lets_time_pass(call: ast.Call) -> bool:
    """Whether it sleeps, also on an event that nobody can set."""
    if _name_of(call.func) in ("sleep", "let_pass"):
        return True
    waits = isinstance(call.func, ast.Attribute) and call.func.attr == "wait"
    return waits and ast.unparse(call.func).endswith("Event().wait")
