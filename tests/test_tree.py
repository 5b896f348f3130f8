"""Rules that no linter knows: what each module may import, and how long it may be."""

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import nox

import docker

ROOT = Path(__file__).resolve().parent.parent
ROOMS = sorted((ROOT / "cluster").rglob("*.py"))
SETTINGS = nox.project.load_toml(ROOT / "pyproject.toml")
DIRECTING = {ROOT / name for name in SETTINGS["tool"]["coverage"]["run"]["omit"]}
"""Modules that call `cluster/machine/`; the coverage gate leaves them out."""
PURE = [room for room in ROOMS if "machine" not in room.parts and room not in DIRECTING]
PROGRAMS = [ROOT / f"{name}.py" for name in ("__main__", "bootstrap", "noxfile", "tasks")]
BENCHES = sorted((ROOT / "bench").rglob("*.py"))
IMAGE = sorted((ROOT / "docker").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

# What a pure module may import: values, text and arithmetic. `None` allows a whole module.
ALLOWED: dict[str, set[str] | None] = {
    "abc": None,
    "collections": None,
    "collections.abc": None,
    "configparser": None,
    "contextlib": None,
    "dataclasses": None,
    "datetime": None,
    "difflib": None,
    "dotenv.parser": None,
    "enum": None,
    "functools": None,
    "hashlib": None,
    "http": {"HTTPStatus"},
    "importlib": {"import_module"},  # rooms that are loaded when they are needed
    "io": {"StringIO"},
    "ipaddress": None,
    "itertools": None,
    "json": None,
    "math": None,
    "operator": None,
    "pathlib": {"PurePath", "PurePosixPath"},
    "pkgutil": {"get_data"},  # shell programs lie beside the code, as part of it
    "re": None,
    "shlex": None,
    "string": None,
    "tarfile": {"BLOCKSIZE", "GNU_FORMAT", "TarInfo"},
    "textwrap": None,
    "typing": None,
    "urllib.parse": None,
}
CORE = {
    *("commands", "containers", "environment", "machine", "plan", "settings"),
    *("errors", "host", "node", "node_context", "runtimes", "scripts", "session", "text", "words"),
}
"""From the env files to a started container: readable in a sitting, without any other subject."""
COMMAND_LINE = {"command_line", "help_pages", "options"}
"""What `cluster/machine/` needs besides to be Invoke's program."""
PRONOUNS = {
    *("its", "it", "one", "other", "another", "others", "found", "said", "told", "heard", "what"),
    *("asked", "held", "own", "ours", "theirs", "wanted", "here", "there", "far", "near", "known"),
    *("who", "whom", "everybody", "some", "each", "every"),
}
"""Names that say nothing: a name is a noun of the field."""
# Names through which the modules above, and Python itself, still reach the world.
WORLD = {"breakpoint", "eval", "exec", "input", "now", "open", "print", "today", "utcnow"}
HEAVY = {"docker", "dotenv", "http", "nox", "requests", "rich", "urllib3"}
IN_THE_IMAGE = {"ray", "torch", "transformers", "vllm"}
VAGUE_NAMES = {"common", "helper", "helpers", "manager", "misc", "util", "utils"}
TEXT = {
    "",
    ".cfg",
    ".example",
    ".env",
    ".in",
    ".md",
    ".py",
    ".sh",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
}
# Containers have caches and settings in the home folder of their root user.
PRIVATE_PATH = re.compile(
    r"/(?:home|Users)/\w+|(?<![\w.])/(?:root/(?!\.cache/|\.config/)|work/)\S+"
)
PROJECT_CLUSTERS = ("rehearsal", "examples")
"""The folders of `env/` that belong to the project."""

Rule = Callable[[Path], Iterator[tuple[int, str]]]


def breaches(rule: Rule, paths: Iterable[Path]) -> list[str]:
    """Return the breaches of a rule, as `FILE:LINE: what`."""
    results = (
        (path.relative_to(ROOT), line, message) for path in paths for line, message in rule(path)
    )
    return [f"{path}:{line}: {message}" for path, line, message in results]


def tree(path: Path) -> list[ast.AST]:
    """Return all nodes of a file's syntax tree."""
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imports(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the module and the name (or nothing) of each import."""
    for node in tree(path):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, node.module or "", alias.name) for alias in node.names)


def worldly_imports(path: Path) -> Iterator[tuple[int, str]]:
    """Find imports by which a module could touch the world by itself."""
    for line, module, name in imports(path):
        names = ALLOWED.get(module, set())
        if module.split(".")[0] != "cluster" and names is not None and name not in names:
            yield line, f"{module} {name}".strip()


def imports_of_subjects(path: Path) -> Iterator[tuple[int, str]]:
    """Find what the core imports beside itself."""
    for line, module, name in imports(path):
        package, _, rest = f"{module}.{name}".rstrip(".").partition(".")
        if package == "cluster" and rest.split(".")[0] not in CORE | COMMAND_LINE:
            yield line, f"{module} {name}".strip()


def pronouns(path: Path) -> Iterator[tuple[int, str]]:
    """Find variables and parameters that are pronouns."""
    for node in tree(path):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in PRONOUNS:
            yield node.lineno, node.id
        if isinstance(node, ast.arg) and node.arg in PRONOUNS:
            yield node.lineno, node.arg


def dependencies() -> dict[str, set[str]]:
    """Return the modules that each module of `cluster/` imports, also inside functions."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in ROOMS}
    modules = {name: path for name, path in names.items() if path.name != "__init__.py"}
    return {
        name: {
            module
            for _, source, imported in imports(path)
            for module in (source, f"{source}.{imported}")
            if module in modules and module != name
        }
        for name, path in modules.items()
    }


def unknown_imports(path: Path) -> Iterator[tuple[int, str]]:
    """Find imports that a pure module may not have."""
    for line, module, name in imports(path):
        paths = [ROOT.joinpath(*f"{module}.{end}".rstrip(".").split(".")) for end in ("", name)]
        is_pure = module.split(".")[0] == "cluster" and not DIRECTING.intersection(
            path.with_suffix(".py") for path in paths
        )
        is_pure = is_pure and "machine" not in module.split(".")[1:2]
        names = ALLOWED.get(module, set())
        if not is_pure and names is not None and name not in names:
            yield line, f"{module} {name}".strip()


def worldly_names(path: Path) -> Iterator[tuple[int, str]]:
    """Find names through which even an allowed module reaches the world."""
    for node in tree(path):
        if isinstance(node, ast.Name) and node.id in WORLD:
            yield node.lineno, node.id
        if isinstance(node, ast.Attribute) and node.attr in WORLD:
            yield node.lineno, node.attr


def imports_of_the_image(path: Path) -> Iterator[tuple[int, str]]:
    """Find imports of packages that only the image has."""
    for line, module, _ in imports(path):
        if module.split(".")[0] in IN_THE_IMAGE:
            yield line, module


def long_functions(limit: int) -> Rule:
    """Return the rule that a function has at most so many lines without its docstring."""

    def rule(path: Path) -> Iterator[tuple[int, str]]:
        for node in tree(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = lines(node) - (lines(node.body[0]) if ast.get_docstring(node) else 0)
                if length > limit:
                    yield node.lineno, f"{node.name} has {length} lines"

    return rule


def lines(node: ast.stmt) -> int:
    """Return the number of lines of a statement."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def long_file(limit: int) -> Rule:
    """Return the rule that a file has at most so many lines."""

    def rule(path: Path) -> Iterator[tuple[int, str]]:
        count = len(path.read_text(encoding="utf-8").splitlines())
        if count > limit:
            yield count, f"more than {limit} lines"

    return rule


def no_sentence(path: Path) -> Iterator[tuple[int, str]]:
    """Find files whose first line is not a one-sentence docstring."""
    lines = path.read_text(encoding="utf-8").split("\n")
    first = next(line for line in lines if not line.startswith("#"))
    if not re.fullmatch(r'"""[^.]*(\.\w[^.]*)*\.("""|)', first):
        yield 1, first


def silent_exceptions(path: Path) -> Iterator[tuple[int, str]]:
    """Find linter exceptions without a reason."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if re.search(r"#\snoqa(?!: [A-Z0-9, ]+(?:\(| #)\s*\w)", line):
            yield number, line.strip()


def private_paths(path: Path) -> Iterator[tuple[int, str]]:
    """Find absolute paths of one person's machine."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        yield from ((number, match) for match in PRIVATE_PATH.findall(line))


def texts() -> Iterator[Path]:
    """Yield the text files of the repository, without tools' output and the user's env files."""
    for folder, folders, names in os.walk(ROOT):
        is_env = ROOT / "env" == Path(folder)
        folders[:] = [name for name in folders if name == ".ci" or name[0] not in "._"]
        folders[:] = [name for name in folders if not is_env or name in PROJECT_CLUSTERS]
        paths = [Path(folder, name) for name in names if name[0] != "."]
        yield from (path for path in paths if path.suffix in TEXT - ({".env"} if is_env else set()))


def loaded(statement: str) -> list[str]:
    """Return the heavy libraries that a new Python process has loaded after a statement."""
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {statement}; print(*sys.modules)"
    command = [sys.executable, "-I", "-c", program]
    modules = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return sorted(HEAVY.intersection(modules))


def test_imports_of_pure_rooms() -> None:
    """A pure module imports values, text, arithmetic and other pure modules."""
    assert [] == breaches(unknown_imports, PURE)


def test_machine_alone_touches_the_world() -> None:
    """Outside `cluster/machine/`, no module imports processes, sockets, files or the clock."""
    assert [] == breaches(worldly_imports, [room for room in ROOMS if "machine" not in room.parts])


def test_core_knows_no_subject() -> None:
    """From settings to a started container, the core loads no other subject, not even lazily."""
    core = [room for room in ROOMS if room.relative_to(ROOT / "cluster").parts[0] in CORE]
    core += [ROOT / "cluster" / f"{name}.py" for name in sorted(CORE)]

    assert [] == breaches(imports_of_subjects, filter(Path.is_file, core))


def test_no_import_circles() -> None:
    """Modules can be put in an order in which each imports only those before it."""
    remaining = dependencies()
    while leaves := [name for name, modules in remaining.items() if not modules & remaining.keys()]:
        for name in leaves:
            del remaining[name]

    assert {} == remaining


def test_classes_have_their_own_names() -> None:
    """No two classes of `cluster/` have the same name."""
    names = [
        node.name
        for room in ROOMS
        for node in tree(room)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]

    assert [] == sorted(name for name, count in Counter(names).items() if count > 1)


def test_names_are_nouns() -> None:
    """No variable and no parameter is a pronoun."""
    assert [] == breaches(pronouns, [*ROOMS, *PROGRAMS, *BENCHES, *IMAGE, *TESTS])


def test_names_in_pure_rooms() -> None:
    """A pure module opens nothing, prints nothing and reads no clock."""
    assert [] == breaches(worldly_names, PURE)


def test_nothing_of_the_image() -> None:
    """The control side works without Ray, vLLM and PyTorch."""
    assert [] == breaches(imports_of_the_image, [*ROOMS, *PROGRAMS])


def test_start_is_light() -> None:
    """Listing the verbs loads no library heavier than Invoke."""
    assert [] == loaded("import tasks")


def test_pure_rooms_are_light() -> None:
    """All pure modules together load only one library: the parser of env files."""
    modules = ", ".join(".".join(room.relative_to(ROOT).with_suffix("").parts) for room in PURE)

    assert ["dotenv"] == loaded(f"import {modules}")


def test_docker_is_the_sdk() -> None:
    """The folder `docker/` is a build context and never shadows the Docker SDK."""
    assert [] == [
        path for folder in ("docker", "tests/docker") for path in ROOT.glob(f"{folder}/__init__.py")
    ]
    assert hasattr(docker, "DockerClient")


def test_functions_are_short() -> None:
    """A function has at most 25 lines in a pure module and 40 elsewhere."""
    assert [] == breaches(long_functions(25), PURE)
    assert [] == breaches(long_functions(40), [*ROOMS, *PROGRAMS, *BENCHES])


def test_files_are_short() -> None:
    """A file of code has at most 400 lines, and a file of tests 500."""
    assert [] == breaches(long_file(400), [*ROOMS, *PROGRAMS, *BENCHES, *IMAGE])
    assert [] == breaches(long_file(500), TESTS)


def test_first_lines() -> None:
    """`head -1 cluster/*/*.py` prints the architecture, one sentence for each module."""
    assert [] == breaches(no_sentence, [*ROOMS, *PROGRAMS])


def test_names_of_modules() -> None:
    """No module has a vague name such as `utils`."""
    assert [] == [room.name for room in ROOMS if room.stem in VAGUE_NAMES]


def test_exceptions_have_reasons() -> None:
    """Every linter exception has its reason on the same line."""
    assert [] == breaches(silent_exceptions, [*ROOMS, *PROGRAMS, *BENCHES, *TESTS])


def test_no_private_paths() -> None:
    """No file contains a path of one person's machine."""
    assert [] == breaches(private_paths, texts())


def test_locks_name_no_index() -> None:
    """The lock files name no package index, so they work with every one."""
    locks = [ROOT / "constraints.txt", ROOT / "requirements.txt"]

    assert [] == [lock.name for lock in locks if "://" in lock.read_text(encoding="utf-8")]
