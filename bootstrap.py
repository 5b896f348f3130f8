"""Makes the environment that `inv` runs in, with nothing but the standard library.

`uv` does the work where it is installed, else pip does. Debian and Ubuntu ship a Python without
`ensurepip`: there pip's own wheel is fetched, used and forgotten.
"""

import configparser
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = HERE / "requirements.txt"
MADE_FROM = VENV / "made-from"
MADE_WITH = VENV / "made-with"

# What an index serves under this name must be this very file. It runs on all Pythons we support.
PIP = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
PIP_SETTINGS = ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")
PYPI = "https://pypi.org/simple"
SCHEMES = ("https", "http", "file")
PIP_INSTALL = ("install", "--quiet", "--disable-pip-version-check")
REMEDY = "install uv or the package python3-venv, or mend the connection"
TIMEOUT = 30
"""Seconds that an index may stay silent."""


class BootstrapError(Exception):
    """What went wrong, and in brackets what to do."""


def say(text: str) -> None:
    """Print one line of progress."""
    print(f"inv: {text}", file=sys.stderr, flush=True)


def ready(asked: str) -> bool:
    """Tell whether the environment is whole, of this lock and of the Python `asked` for."""
    try:
        made = (MADE_FROM.read_bytes(), MADE_WITH.read_text())
    except FileNotFoundError:
        return False
    return made == (LOCK.read_bytes(), f"{asked}\n") and os.access(PYTHON, os.X_OK)


@contextmanager
def alone() -> Iterator[None]:
    """Wait until nobody else makes the environment; the kernel ends the wait when they die."""
    with (HERE / ".venv.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another inv, which is making .venv")
            fcntl.flock(lock, fcntl.LOCK_EX)
        # An installer that outlives us still writes into .venv: it holds the lock as well.
        os.set_inheritable(lock.fileno(), True)  # noqa: FBT003 (positional only)
        yield


def run(*command: str | Path) -> None:
    """Run a command that must succeed; what it prints goes to stderr."""
    done = subprocess.run(command, stdout=sys.stderr, check=False, close_fds=False)
    if done.returncode:
        what = f"`{Path(command[0]).name}` ended with exit code {done.returncode}"
        raise BootstrapError(f"{what} (see above; `./inv` tries again)")


def pip_index() -> str:
    """Return the index that pip would use: its variable, its settings files, PyPI."""
    if variable := os.environ.get("PIP_INDEX_URL"):
        return variable
    found = [pip_setting(name) for name in PIP_SETTINGS]
    return next(filter(None, reversed(found)), PYPI)


def pip_setting(name: str) -> str:
    """Return the index that one of pip's settings files names; nothing when it names none."""
    settings = configparser.RawConfigParser(strict=False)
    try:
        settings.read(Path(name).expanduser(), encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        # Python's own message would show the line, which may hold a password.
        what = f"{name}: cannot be read as settings of pip's"
        raise BootstrapError(f"{what} (mend it, or set PIP_INDEX_URL)") from None
    return settings.get("global", "index-url", fallback="")


def url_parts(url: str) -> SplitResult:
    """Return a URL in its parts; what is none is not shown, as it may hold a password."""
    with suppress(ValueError):
        if (parts := urlsplit(url)).scheme in SCHEMES and url.isascii():
            return parts
    raise BootstrapError(f"cannot fetch pip: its index has no URL (write index-url like {PYPI})")


def request(parts: SplitResult) -> urllib.request.Request:
    """Return the request for a page of an index, whose URL may hold a user and a password."""
    user, _, host = parts.netloc.rpartition("@")
    headers = {"Accept": "application/vnd.pypi.simple.v1+json, text/html;q=0.5"}
    if user:
        headers["Authorization"] = f"Basic {b64encode(unquote(user).encode()).decode()}"
    return urllib.request.Request(parts._replace(netloc=host).geturl(), headers=headers)


def fetched(url: str) -> bytes:
    """Return what a URL answers."""
    parts = url_parts(url)
    try:
        with urllib.request.urlopen(request(parts), timeout=TIMEOUT) as answer:
            return bytes(answer.read())
    except HTTPError as error:
        with error:
            why = str(error)
    except (OSError, HTTPException) as error:
        why = str(getattr(error, "reason", error))
    raise BootstrapError(f"cannot fetch pip from {parts.hostname or parts.path}: {why} ({REMEDY})")


def pip_url(index: str) -> str:
    """Find pip's wheel on an index's page, which may be JSON or HTML (PEP 691, PEP 503)."""
    page_url = f"{index.rstrip('/')}/pip/"
    page = fetched(page_url).decode(errors="replace")
    links: list[str] = re.findall(rf'"([^"]*{re.escape(PIP)})(?:#[^"]*)?"', page)
    if not links:
        raise BootstrapError(f"{PIP} is not on the package index ({REMEDY})")
    # JSON gives the file's name as well as its URL, which is the longer one.
    return urljoin(page_url, max(links, key=len))


def pip_wheel() -> bytes:
    """Fetch pip's wheel from the index, and accept only the very file that we know."""
    wheel = fetched(pip_url(pip_index()))
    if hashlib.sha256(wheel).hexdigest() != PIP_SHA256:
        raise BootstrapError(f"the package index serves another {PIP} than ours ({REMEDY})")
    return wheel


def install_with_uv(python: str) -> None:
    """Make the environment and install the lock with uv."""
    run("uv", "venv", "--quiet", "--python", python, VENV)
    run("uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", PYTHON, "-r", LOCK)


def install_with_pip(python: str) -> None:
    """Make the environment and install the lock with the pip that comes with Python."""
    run(python, "-I", "-m", "venv", VENV)
    run(PYTHON, "-I", "-m", "pip", *PIP_INSTALL, "-r", LOCK)


def install_with_fetched_pip(python: str) -> None:
    """Make the environment and install the lock with a pip that stays out of it."""
    run(python, "-I", "-m", "venv", "--without-pip", VENV)
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(folder, PIP)
        wheel.write_bytes(pip_wheel())
        run(PYTHON, "-I", wheel / "pip", *PIP_INSTALL, "-r", LOCK)


def installer() -> tuple[str, Callable[[str], None]]:
    """Choose how to install: what it is called, and the function that does it."""
    if shutil.which("uv"):
        return "uv", install_with_uv
    if find_spec("ensurepip"):
        return "pip", install_with_pip
    return "a fetched pip", install_with_fetched_pip


def make(asked: str) -> None:
    """Make the environment anew; the files that call it whole come last."""
    started = time.monotonic()
    name, install = installer()
    say(f"making .venv from requirements.txt, with Python {platform.python_version()} and {name}")
    if VENV.exists():
        shutil.rmtree(VENV)
    lock = LOCK.read_bytes()
    # The real path: when an upgrade of the system takes that Python away, `inv` sees it.
    install(os.path.realpath(sys.executable))
    MADE_WITH.write_text(f"{asked}\n")
    MADE_FROM.write_bytes(lock)
    say(f"ready after {time.monotonic() - started:.0f} s")


def main() -> None:
    """Make the environment unless somebody else just did."""
    asked = sys.argv[1]
    try:
        with alone():
            if not ready(asked):
                make(asked)
    except (BootstrapError, OSError) as error:
        sys.exit(f"inv: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
