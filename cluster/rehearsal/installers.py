"""pip and uv: how they are run, where they look for packages, and what their output means."""

import configparser
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from cluster.errors import Problem
from cluster.rehearsal.requirements import PLACE

PYTORCH_INDEX = "https://download.pytorch.org/whl/cpu"
ANSWER_SECONDS = "5"
"""How long to wait for an index that may not have the package."""
RETRIES = "1"
CONNECTION = (
    *("cert", "client-cert", "default-timeout", "keyring-provider", "proxy", "retries"),
    *("timeout", "trusted-host"),
)
"""pip's settings for reaching an index."""
CACHE = ("cache-dir", "no-cache-dir", "no-index")
"""More settings that are passed on; all others would change the result (`user`, `target`)."""
EXTRA_SOURCES = ("extra-index-url", "find-links")
"""pip asks each of them for every single package, even one that never answers."""
UV_EXTRA_SOURCES = ("UV_INDEX", "UV_EXTRA_INDEX_URL")
INTERFERING = (
    *("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"),
    *("UV_CONSTRAINT", "UV_OVERRIDE", "UV_PYTHON", "UV_REQUIRE_HASHES", "UV_SYSTEM_PYTHON"),
)
"""Variables that would change the new environment."""

DISK_REMEDY = "free some disk space, then run it again"
WRITE_REMEDY = "make it writable, then run it again"
HOPELESS = {
    "No space left on device": DISK_REMEDY,
    "Disk quota exceeded": DISK_REMEDY,
    "Permission denied": WRITE_REMEDY,
    "Read-only file system": WRITE_REMEDY,
}
"""Errors that would be the same with any index, and their remedies."""
AGAIN = "fix that, then run it again: finished downloads are kept"
ASIDE = ("WARNING: ", "warning: ", "[notice] ")
ERROR = re.compile("(?:ERROR|error): |\\s+\N{MULTIPLICATION SIGN}")
ORNAMENT = re.compile("^(?:ERROR|error): |^[\\s\N{MULTIPLICATION SIGN}╰├│─▶]+")
CAUSE = re.compile(r"\s+Caused by: ")
DOWNLOAD = re.compile(r"\s*Downloading (?:\S*/)?([\w.-]+?)(?:-\d\S*)? \(([\d.]+) ?([MG])i?B\)")
UNPACK = re.compile(r"Installing collected packages: (.+)|Prepared (\d+) packages")
LARGE = 20
"""Smaller downloads, in megabytes, are not reported."""
LONGEST_REASON = 400
"""Characters of an installer's output that an error repeats."""

Variables: TypeAlias = Mapping[str, str]
Words: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A command that may do it; if it fails, the next attempt is run."""

    argv: Words
    environment: Variables


@dataclass(frozen=True, kw_only=True)
class Pip:
    """Installs with pip; its settings become variables, so that an attempt can leave some out."""

    program: Words
    """The command that runs pip for the Python of the environment."""
    settings: Variables
    environ: Variables
    name: str = "pip"

    def torch(self, requirements: Words) -> tuple[Attempt, ...]:
        """Try wheels on this machine, then the configured indexes, then PyTorch's own."""
        quick = ("--timeout", ANSWER_SECONDS, "--retries", RETRIES, *requirements)
        configured = _only(self.settings, "index-url", *EXTRA_SOURCES)
        local = (self._offline(requirements, "find-links"),) if "find-links" in configured else ()
        indexes = (self._run(quick, *CONNECTION, *CACHE, *configured),) if configured else ()
        pytorch = self._run(quick, *CONNECTION, *CACHE, **{"index-url": PYTORCH_INDEX})
        return (*local, *indexes, pytorch)

    def packages(self, words: Words) -> tuple[Attempt, ...]:
        """Try the main index; only if that fails, all sources that are configured."""
        main = (*CONNECTION, *CACHE, "index-url")
        extra = _only(self.settings, *EXTRA_SOURCES)
        everywhere = (self._run(words, *main, *EXTRA_SOURCES),) if extra else ()
        return (self._run(words, *main), *everywhere)

    def folders(self, paths: Words) -> tuple[Attempt, ...]:
        """Build source folders with the environment's own setuptools, which needs no index."""
        return (self._offline(("--no-build-isolation", *paths)),)

    def _offline(self, words: Words, *kept: str) -> Attempt:
        return self._run(words, *CACHE, *kept, **{"no-index": "1"})

    def _run(self, words: Words, *kept: str, **changed: str) -> Attempt:
        settings = _only(self.settings, *kept) | changed
        variables = {f"PIP_{name.upper().replace('-', '_')}": settings[name] for name in settings}
        fixed = {"PIP_CONFIG_FILE": "/dev/null", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        options = ("install", "--no-input", "--no-deps", "--no-compile", "--progress-bar", "off")
        environment = without(self.environ, "PIP_") | fixed | variables
        return Attempt(argv=(*self.program, *options, *words), environment=environment)


@dataclass(frozen=True, kw_only=True)
class Uv:
    """Installs with uv, which has settings of its own; it also gets pip's folders of wheels."""

    python: str
    """The Python of the environment."""
    settings: Variables
    """pip's."""
    environ: Variables
    name: str = "uv"

    def torch(self, requirements: Words) -> tuple[Attempt, ...]:
        """Try wheels on this machine, then the configured indexes, then PyTorch's own."""
        quick = {"UV_HTTP_TIMEOUT": ANSWER_SECONDS, "UV_HTTP_RETRIES": RETRIES}
        links = self._links
        local = (self._run(("--no-index", *requirements), **links),) if links else ()
        index = ("--default-index", PYTORCH_INDEX, *requirements)
        pytorch = self._run(index, *UV_EXTRA_SOURCES, "UV_FIND_LINKS", **quick)
        return (*local, self._run(requirements, **quick), pytorch)

    def packages(self, words: Words) -> tuple[Attempt, ...]:
        """Try the main index; only if that fails, all sources that are configured."""
        extra = _only(self.environ, *UV_EXTRA_SOURCES) | self._links
        everywhere = (self._run(words, **extra),) if extra else ()
        return (self._run(words, *UV_EXTRA_SOURCES, "UV_FIND_LINKS"), *everywhere)

    def folders(self, paths: Words) -> tuple[Attempt, ...]:
        """Build source folders with the environment's own setuptools, which needs no index."""
        return (self._run(("--no-build-isolation", "--no-index", *paths)),)

    @property
    def _links(self) -> dict[str, str]:
        folders = self.environ.get("UV_FIND_LINKS", "").split(",")
        pip_folders = self.settings.get("find-links", "").split()
        links = ",".join(filter(None, (*folders, *pip_folders)))
        return {"UV_FIND_LINKS": links} if links else {}

    def _run(self, words: Words, *unset: str, **changed: str) -> Attempt:
        argv = ("uv", "pip", "install", "--python", self.python, "--no-deps", *words)
        return Attempt(argv=argv, environment=without(self.environ, *unset) | changed)


Installer: TypeAlias = Pip | Uv


def without(environ: Variables, *prefixes: str) -> dict[str, str]:
    """Return the variables whose names begin with none of the prefixes."""
    return {name: value for name, value in environ.items() if not name.startswith(prefixes)}


def pip_files(environ: Variables, prefix: str) -> Words:
    """Return pip's settings files, later ones win (pip, "Configuration"); `~` is the home."""
    named = environ.get("PIP_CONFIG_FILE", "")
    user = f"{environ.get('XDG_CONFIG_HOME') or '~/.config'}/pip/pip.conf"
    system = ("/etc/xdg/pip/pip.conf", "/etc/pip.conf")
    paths = (*system, "~/.pip/pip.conf", user, f"{prefix}/pip.conf", named)
    return () if named == "/dev/null" else tuple(filter(None, paths))


def pip_settings(texts: Words, environ: Variables) -> dict[str, str]:
    """Merge the texts of pip's settings files and its variables, which win; lists on one line."""
    settings: dict[str, str] = {}
    for text in texts:
        settings |= _sections(text)
    names = (name for name in environ if name.startswith("PIP_"))
    settings |= {_setting_name(name.removeprefix("PIP_")): environ[name] for name in names}
    return {name: " ".join(value.split()) for name, value in settings.items() if value.strip()}


def _sections(text: str) -> dict[str, str]:
    """Read the sections that `pip install` reads; a broken file has no settings."""
    parser = configparser.RawConfigParser(strict=False)
    with suppress(configparser.Error):
        parser.read_string(text)
    sections = (parser[name] for name in ("global", "install") if name in parser)
    return {_setting_name(name): value for section in sections for name, value in section.items()}


def _setting_name(name: str) -> str:
    return name.lower().replace("_", "-")


def _only(variables: Variables, *names: str) -> dict[str, str]:
    return {name: variables[name] for name in names if name in variables}


def activity(line: str) -> str:
    """Return what an installer is doing according to a line of its output; mostly empty."""
    if match := UNPACK.match(line):
        count = int(match[2] or match[1].count(",") + 1)
        return f"unpacking {count} package{'s' if count > 1 else ''}"
    if not (match := DOWNLOAD.match(line)):
        return ""
    size = float(match[2]) * (1000 if match[3] == "G" else 1)
    return f"downloading {match[1].replace('_', '-')} ({size:.0f} MB)" if size >= LARGE else ""


def is_hopeless(lines: list[str]) -> bool:
    """Whether the next attempt would fail in the same way."""
    return any(cause in line for line in lines for cause in HOPELESS)


def failure(title: str, lines: list[str], remedy: str = AGAIN) -> Problem:
    """Return the problem of the step `title`, from all lines of an installer's output."""
    reason = _reason([line for line in lines if line.strip() and not line.startswith(ASIDE)])
    retried = any(line.startswith("WARNING: Retrying") for line in lines)
    remedies = (HOPELESS[cause] for cause in HOPELESS if cause in reason)
    message = f"{title}: {reason}" + ("; the index did not answer" if retried else "")
    return Problem(place=PLACE, message=message, remedy=next(remedies, remedy))


def torch_remedy(requirements: Words) -> str:
    """Return what to do if PyTorch is not found anywhere."""
    folder = f"a folder with the wheel of {' '.join(requirements)}"
    return f"allow access to {PYTORCH_INDEX}, or set PIP_FIND_LINKS to {folder}"


def _reason(lines: list[str]) -> str:
    """Return everything from the last error on: the last cause, or a traceback's last line."""
    errors = [number for number, line in enumerate(lines) if ERROR.match(line)]
    traced = any(line.startswith("Traceback") for line in lines)
    last = lines[-1:] if traced or not errors else lines[errors[-1] :]
    causes = [line for line in last if CAUSE.match(line)]
    kept = (line for line in last if line not in causes[:-1])
    text = " ".join(" ".join(ORNAMENT.sub("", line, count=1).split()) for line in kept)
    text = text.replace(" Caused by: ", ": ")
    return f"{text[:LONGEST_REASON]}…" if len(text) > LONGEST_REASON else text or "no output"
