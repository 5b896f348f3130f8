"""The Python that runs the tasks, and the pip that it has or downloads."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

EXECUTABLE = sys.executable
PREFIX = sys.prefix
"""The folder of its environment."""
VERSION = "{}.{}".format(*sys.version_info)
SYSTEM = platform.system()
"""`Linux`, `Darwin`."""
ARCHITECTURE = platform.machine()
"""`x86_64`, `aarch64`."""


def pip_version() -> tuple[int, ...]:
    """Return major and minor version of its pip; empty without pip."""
    try:
        return tuple(int(part) for part in version("pip").split(".")[:2])
    except PackageNotFoundError:
        return ()


def download_pip() -> tuple[str, bytes]:
    """Return name and content of pip's wheel from the user's package index.

    ConnectionError says why there is none.
    """
    from bootstrap import PIP, BootstrapError, pip_wheel

    try:
        return PIP, pip_wheel()
    except BootstrapError as error:
        raise ConnectionError(str(error)) from error
