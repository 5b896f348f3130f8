"""How Ray in a container that was started by hand knows who may use it: where its token is."""

from collections.abc import Mapping
from dataclasses import dataclass

from cluster.errors import Problem
from cluster.launcher.launcher import PROGRAM

TOKEN = "RAY_AUTH_TOKEN"  # noqa: S105 (the name of a variable)
TOKEN_PATH = "RAY_AUTH_TOKEN_PATH"  # noqa: S105 (as above)
MODE = "RAY_AUTH_MODE"
MOUNTED = "/run/secrets/ray-token"
"""Where a token is found that was mounted into the container."""
MOUNT = f"docker run -v /path/to/token:{MOUNTED}:ro"
NO_TOKEN = (
    "no token, so whoever reaches Ray's ports can run programs here "
    f"(mount the same one on all nodes: {MOUNT})"
)


@dataclass(frozen=True, kw_only=True)
class Authentication:
    """What was found."""

    path: str = ""
    """The file with the token; empty when it is elsewhere, or there is none."""
    chosen: bool = True
    """Whether somebody chose; if not, Ray takes commands from everybody."""
    problems: tuple[Problem, ...] = ()


def authentication(inherited: Mapping[str, str], files: Mapping[str, bool]) -> Authentication:
    """Return where Ray's token is; `files` are those that exist, and whether they hold a token.

    The order is Ray's own: the variable, then the file that a variable names (docs.ray.io, token
    authentication). After them comes the file that was mounted.
    """
    mode = inherited.get(MODE, "").lower()
    if inherited.get(TOKEN) or mode not in {"", "token"}:
        return Authentication()
    path = inherited.get(TOKEN_PATH) or (MOUNTED if MOUNTED in files else "")
    if files.get(path):
        return Authentication(path=path)
    if not path and not mode:
        return Authentication(chosen=False)
    where, message = (path, "holds no token that can be read") if path else (MODE, "wants a token")
    return Authentication(problems=(_problem(where, message),))


def _problem(where: str, message: str) -> Problem:
    return Problem(place=f"{PROGRAM}: {where}", message=message, remedy=f"mount one: {MOUNT}")
