"""How pip and uv are run: command lines, variables, and where they look for packages in turn."""

import configparser
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

PYTORCH_INDEX = "https://download.pytorch.org/whl/cpu"
SILENCE = "5"
"""Seconds that an index may stay silent when it need not have the package."""
RETRIES = "1"
REACH = (
    *("cert", "client-cert", "default-timeout", "keyring-provider", "proxy", "retries"),
    *("timeout", "trusted-host"),
)
"""pip's settings on how to reach an index."""
STORE = ("cache-dir", "no-cache-dir", "no-index")
"""Settings that are carried as well; all others would change what is made (`user`, `target`)."""
MORE = ("extra-index-url", "find-links")
"""pip asks each of these for every single package, also one that never answers."""
UV_MORE = ("UV_INDEX", "UV_EXTRA_INDEX_URL")
STRAY = (
    *("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"),
    *("UV_CONSTRAINT", "UV_OVERRIDE", "UV_PYTHON", "UV_REQUIRE_HASHES", "UV_SYSTEM_PYTHON"),
)
"""Variables that would reach into the new environment."""

Variables: TypeAlias = Mapping[str, str]
Words: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One way to do it; the next one is tried when it fails."""

    argv: Words
    environment: Variables


@dataclass(frozen=True, kw_only=True)
class Pip:
    """Installs with pip; its settings become variables, so that each attempt can leave some out."""

    program: Words
    """Runs pip for the Python of the environment."""
    settings: Variables
    environ: Variables
    name: str = "pip"

    def torch(self, words: Words) -> tuple[Attempt, ...]:
        """Look at the wheels at hand, then at the configured indexes, then at PyTorch's own."""
        hasty = ("--timeout", SILENCE, "--retries", RETRIES, *words)
        configured = _only(self.settings, "index-url", *MORE)
        at_hand = (self._offline(words, "find-links"),) if "find-links" in configured else ()
        asked = (self._run(hasty, *REACH, *STORE, *configured),) if configured else ()
        own = self._run(hasty, *REACH, *STORE, **{"index-url": PYTORCH_INDEX})
        return (*at_hand, *asked, own)

    def packages(self, words: Words) -> tuple[Attempt, ...]:
        """Look at the one index; only when that fails, at everything that is configured."""
        plain = (*REACH, *STORE, "index-url")
        again = (self._run(words, *plain, *MORE),) if _only(self.settings, *MORE) else ()
        return (self._run(words, *plain), *again)

    def folders(self, words: Words) -> tuple[Attempt, ...]:
        """Build source folders with the environment's own setuptools: needs no index."""
        return (self._offline(("--no-build-isolation", *words)),)

    def _offline(self, words: Words, *carried: str) -> Attempt:
        return self._run(words, *STORE, *carried, **{"no-index": "1"})

    def _run(self, words: Words, *carried: str, **changed: str) -> Attempt:
        settings = _only(self.settings, *carried) | changed
        named = {f"PIP_{name.upper().replace('-', '_')}": settings[name] for name in settings}
        fixed = {"PIP_CONFIG_FILE": "/dev/null", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        options = ("install", "--no-input", "--no-deps", "--no-compile", "--progress-bar", "off")
        environment = without(self.environ, "PIP_") | fixed | named
        return Attempt(argv=(*self.program, *options, *words), environment=environment)


@dataclass(frozen=True, kw_only=True)
class Uv:
    """Installs with uv, which has settings of its own, and is told of pip's wheels at hand."""

    python: str
    """The Python of the environment."""
    settings: Variables
    """pip's."""
    environ: Variables
    name: str = "uv"

    def torch(self, words: Words) -> tuple[Attempt, ...]:
        """Look at the wheels at hand, then at the configured indexes, then at PyTorch's own."""
        hasty = {"UV_HTTP_TIMEOUT": SILENCE, "UV_HTTP_RETRIES": RETRIES}
        at_hand = (self._run(("--no-index", *words), **self._links),) if self._links else ()
        index = ("--default-index", PYTORCH_INDEX, *words)
        own = self._run(index, *UV_MORE, "UV_FIND_LINKS", **hasty)
        return (*at_hand, self._run(words, **hasty), own)

    def packages(self, words: Words) -> tuple[Attempt, ...]:
        """Look at the one index; only when that fails, at everything that is configured."""
        configured = _only(self.environ, *UV_MORE) | self._links
        again = (self._run(words, **configured),) if configured else ()
        return (self._run(words, *UV_MORE, "UV_FIND_LINKS"), *again)

    def folders(self, words: Words) -> tuple[Attempt, ...]:
        """Build source folders with the environment's own setuptools: needs no index."""
        return (self._run(("--no-build-isolation", "--no-index", *words)),)

    @property
    def _links(self) -> dict[str, str]:
        own = self.environ.get("UV_FIND_LINKS", "").split(",")
        pips = self.settings.get("find-links", "").split()
        links = ",".join(filter(None, (*own, *pips)))
        return {"UV_FIND_LINKS": links} if links else {}

    def _run(self, words: Words, *unset: str, **changed: str) -> Attempt:
        argv = ("uv", "pip", "install", "--python", self.python, "--no-deps", *words)
        return Attempt(argv=argv, environment=without(self.environ, *unset) | changed)


Installer: TypeAlias = Pip | Uv


def without(environ: Variables, *prefixes: str) -> dict[str, str]:
    """Return the variables whose names begin with none of the prefixes."""
    return {name: value for name, value in environ.items() if not name.startswith(prefixes)}


def pip_files(environ: Variables, prefix: str) -> Words:
    """Return pip's settings files, the stronger later (pip, "Configuration"); `~` is the home."""
    named = environ.get("PIP_CONFIG_FILE", "")
    own = f"{environ.get('XDG_CONFIG_HOME') or '~/.config'}/pip/pip.conf"
    system = ("/etc/xdg/pip/pip.conf", "/etc/pip.conf")
    files = (*system, "~/.pip/pip.conf", own, f"{prefix}/pip.conf", named)
    return () if named == "/dev/null" else tuple(filter(None, files))


def pip_settings(texts: Words, environ: Variables) -> dict[str, str]:
    """Return what pip would use: its settings files, over them its variables; lists on one line."""
    settings: dict[str, str] = {}
    for text in texts:
        settings |= _sections(text)
    names = (name for name in environ if name.startswith("PIP_"))
    settings |= {_spelled(name.removeprefix("PIP_")): environ[name] for name in names}
    return {name: " ".join(value.split()) for name, value in settings.items() if value.strip()}


def _sections(text: str) -> dict[str, str]:
    """Read what `pip install` reads; a broken file says nothing."""
    parser = configparser.RawConfigParser(strict=False)
    with suppress(configparser.Error):
        parser.read_string(text)
    sections = (parser[name] for name in ("global", "install") if name in parser)
    return {_spelled(name): value for section in sections for name, value in section.items()}


def _spelled(name: str) -> str:
    return name.lower().replace("_", "-")


def _only(variables: Variables, *names: str) -> dict[str, str]:
    return {name: variables[name] for name in names if name in variables}
