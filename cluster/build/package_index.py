"""Where packages come from in a build: the user's own settings of pip and uv, as one pip.conf."""

import re
from collections.abc import Iterator

from cluster.rehearsal.installers import Variables
from cluster.words import Environment, Secret

URL = re.compile(r"(?:[\w-]+=)?(?P<url>https?://(?P<host>[^\s,/]+)[^\s,]*)")
"""What a build can reach, maybe with the name that uv gives an index."""
BETWEEN = re.compile(r"[\s,]+")
SETTINGS = {
    "index-url": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "extra-index-url": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
    "find-links": ("UV_FIND_LINKS",),
    "trusted-host": ("UV_INSECURE_HOST",),
    "timeout": ("UV_HTTP_TIMEOUT",),
    "retries": ("UV_HTTP_RETRIES",),
}
"""pip's settings that a build gets, and what uv calls the same (uv, "Environment variables")."""
PLACES = ("index-url", "extra-index-url", "find-links")


def settings(environ: Variables, pip: Variables) -> Environment:
    """Return settings by pip's names; `pip` is what pip itself would use, from files as well.

    Who has told only one of the two has told both. Folders of this machine are left out, as a
    build does not see them. What holds a login is a secret.
    """
    return tuple(pair for name in SETTINGS for pair in _pairs(name, environ, pip))


def folders(environ: Variables, pip: Variables) -> tuple[str, ...]:
    """Return the folders of this machine in which pip or uv look for wheels."""
    words = BETWEEN.split(f"{environ.get('UV_FIND_LINKS', '')} {pip.get('find-links', '')}")
    local = (word.removeprefix("file://") for word in words if word and not URL.fullmatch(word))
    return tuple(dict.fromkeys(local))


def logins(value: str) -> tuple[str, ...]:
    """Return the names and passwords in a list of URLs, as they stand there."""
    hosts = (found["host"] for found in URL.finditer(value))
    return tuple(host.rpartition("@")[0] for host in hosts if "@" in host)


def _pairs(name: str, environ: Variables, pip: Variables) -> Iterator[tuple[str, str | Secret]]:
    variable = f"PIP_{name.replace('-', '_').upper()}"
    told = {variable if variable in environ else "pip's settings": pip.get(name, "")}
    told |= {uvs: environ.get(uvs, "") for uvs in SETTINGS[name]}
    for origin, text in told.items():
        if value := " ".join(_kept(name, text)):
            yield name, Secret(value, origin) if logins(value) else value
            return


def _kept(name: str, text: str) -> Iterator[str]:
    for word in filter(None, BETWEEN.split(text)):
        found = URL.fullmatch(word)
        if name not in PLACES or found:
            yield found["url"] if found else word
