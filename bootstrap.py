"""Creates the environment that `inv` runs in, with nothing but the standard library.

It uses `uv` where that is installed, else pip. Debian and Ubuntu ship a Python without `ensurepip`:
there it downloads pip's own wheel, and uses it once.
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

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.txt"
MADE_FROM = VENV / "made-from"
MADE_WITH = VENV / "made-with"

# The index must serve exactly this file. It runs on all supported versions of Python.
PIP = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
PIP_SETTINGS = ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")
PYPI = "https://pypi.org/simple"
SCHEMES = ("https", "http", "file")
PIP_INSTALL = ("install", "--quiet", "--disable-pip-version-check")
REMEDY = "install uv or the package python3-venv, or fix the connection"
TIMEOUT = 30
"""Seconds without an answer from an index."""


class BootstrapError(Exception):
    """A problem, with its remedy in brackets."""


def report(text: str) -> None:
    """Print one line of progress."""
    print(f"inv: {text}", file=sys.stderr, flush=True)


def is_ready(python: str) -> bool:
    """Whether the environment is complete, and was made from this lock with this Python."""
    try:
        made = (MADE_FROM.read_bytes(), MADE_WITH.read_text())
    except FileNotFoundError:
        return False
    return made == (LOCK.read_bytes(), f"{python}\n") and os.access(PYTHON, os.X_OK)


@contextmanager
def locked() -> Iterator[None]:
    """Wait while another program creates the environment; the kernel releases a dead one's lock."""
    with (ROOT / ".venv.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("waiting for another inv that is creating .venv")
            fcntl.flock(lock, fcntl.LOCK_EX)
        # An installer that outlives this program still writes into .venv: it inherits the lock.
        os.set_inheritable(lock.fileno(), True)  # noqa: FBT003 (positional only)
        yield


def run(*command: str | Path) -> None:
    """Run a command that must succeed; its output goes to stderr."""
    completed = subprocess.run(command, stdout=sys.stderr, check=False, close_fds=False)
    if completed.returncode:
        failure = f"`{Path(command[0]).name}` failed with exit code {completed.returncode}"
        raise BootstrapError(f"{failure} (see above; run `./inv` to try again)")


def pip_index() -> str:
    """Return the index that pip would use: from its variable or its settings files, else PyPI."""
    if variable := os.environ.get("PIP_INDEX_URL"):
        return variable
    indexes = [pip_setting(name) for name in PIP_SETTINGS]
    return next(filter(None, reversed(indexes)), PYPI)


def pip_setting(name: str) -> str:
    """Return the index in one of pip's settings files; empty if there is none."""
    settings = configparser.RawConfigParser(strict=False)
    try:
        settings.read(Path(name).expanduser(), encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        # Python's own message would show the line, which may hold a password.
        problem = f"{name}: not a valid settings file of pip"
        raise BootstrapError(f"{problem} (correct it, or set PIP_INDEX_URL)") from None
    return settings.get("global", "index-url", fallback="")


def url_parts(url: str) -> SplitResult:
    """Return the parts of a URL; an invalid one is not shown, as it may contain a password."""
    with suppress(ValueError):
        if (parts := urlsplit(url)).scheme in SCHEMES and url.isascii():
            return parts
    raise BootstrapError(
        f"cannot download pip: the index is not a URL (write index-url like {PYPI})"
    )


def request(parts: SplitResult) -> urllib.request.Request:
    """Return the request for a page of an index; the URL's user and password go into a header."""
    user, _, host = parts.netloc.rpartition("@")
    headers = {"Accept": "application/vnd.pypi.simple.v1+json, text/html;q=0.5"}
    if user:
        headers["Authorization"] = f"Basic {b64encode(unquote(user).encode()).decode()}"
    return urllib.request.Request(parts._replace(netloc=host).geturl(), headers=headers)


def download(url: str) -> bytes:
    """Return the content of a URL."""
    parts = url_parts(url)
    try:
        with urllib.request.urlopen(request(parts), timeout=TIMEOUT) as answer:
            return bytes(answer.read())
    except HTTPError as error:
        with error:
            reason = str(error)
    except (OSError, HTTPException) as error:
        reason = str(getattr(error, "reason", error))
    raise BootstrapError(
        f"cannot download pip from {parts.hostname or parts.path}: {reason} ({REMEDY})"
    )


def pip_url(index: str) -> str:
    """Find the URL of pip's wheel on an index's page, JSON or HTML (PEP 691, PEP 503)."""
    page_url = f"{index.rstrip('/')}/pip/"
    page = download(page_url).decode(errors="replace")
    links: list[str] = re.findall(rf'"([^"]*{re.escape(PIP)})(?:#[^"]*)?"', page)
    if not links:
        raise BootstrapError(f"{PIP} is not on the package index ({REMEDY})")
    # JSON has the file's name as well as its URL, which is longer.
    return urljoin(page_url, max(links, key=len))


def pip_wheel() -> bytes:
    """Download pip's wheel from the index, and accept only the known file."""
    wheel = download(pip_url(pip_index()))
    if hashlib.sha256(wheel).hexdigest() != PIP_SHA256:
        raise BootstrapError(f"the package index serves a different {PIP} ({REMEDY})")
    return wheel


def install_with_uv(python: str) -> None:
    """Create the environment and install the lock with uv."""
    run("uv", "venv", "--quiet", "--python", python, VENV)
    run("uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", PYTHON, "-r", LOCK)


def install_with_pip(python: str) -> None:
    """Create the environment and install the lock with the pip that comes with Python."""
    run(python, "-I", "-m", "venv", VENV)
    run(PYTHON, "-I", "-m", "pip", *PIP_INSTALL, "-r", LOCK)


def install_with_downloaded_pip(python: str) -> None:
    """Create the environment and install the lock with a pip that is not installed in it."""
    run(python, "-I", "-m", "venv", "--without-pip", VENV)
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(folder, PIP)
        wheel.write_bytes(pip_wheel())
        run(PYTHON, "-I", wheel / "pip", *PIP_INSTALL, "-r", LOCK)


def installer() -> tuple[str, Callable[[str], None]]:
    """Return the installer to use: its name and its function."""
    if shutil.which("uv"):
        return "uv", install_with_uv
    if find_spec("ensurepip"):
        return "pip", install_with_pip
    return "a downloaded pip", install_with_downloaded_pip


def create(python: str) -> None:
    """Create the environment; the files that mark it as complete are written last."""
    started = time.monotonic()
    name, install = installer()
    report(
        f"creating .venv from requirements.txt with Python {platform.python_version()} and {name}"
    )
    if VENV.exists():
        shutil.rmtree(VENV)
    lock = LOCK.read_bytes()
    # The real path: if an upgrade of the system removes that Python, `inv` notices.
    install(os.path.realpath(sys.executable))
    MADE_WITH.write_text(f"{python}\n")
    MADE_FROM.write_bytes(lock)
    report(f"ready after {time.monotonic() - started:.0f} s")


def main() -> None:
    """Create the environment, unless another program has just done so."""
    python = sys.argv[1]
    try:
        with locked():
            if not is_ready(python):
                create(python)
    except (BootstrapError, OSError) as error:
        sys.exit(f"inv: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
