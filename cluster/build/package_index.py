"""Where a build gets packages from: the user's own settings of pip and uv, as one pip.conf."""

import re
from collections.abc import Iterator

from cluster.rehearsal.installers import Variables
from cluster.words import Environment, Secret, Value

URL = re.compile(r"(?:[\w-]+=)?(?P<url>https?://(?P<host>[^\s,/]+)[^\s,]*)")
"""A place that a build can reach, perhaps with the name that uv gives an index."""
SEPARATOR = re.compile(r"[\s,]+")
SETTINGS = {
    "index-url": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "extra-index-url": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
    "find-links": ("UV_FIND_LINKS",),
    "trusted-host": ("UV_INSECURE_HOST",),
    "timeout": ("UV_HTTP_TIMEOUT",),
    "retries": ("UV_HTTP_RETRIES",),
}
"""The settings of pip that a build gets, and uv's names for them (uv, "Environment variables")."""
URL_SETTINGS = ("index-url", "extra-index-url", "find-links")
SPECIAL = re.compile(r'[\\"$`]')
"""Characters with a meaning for a shell between double quotes."""


def settings(environ: Variables, pip: Variables) -> Environment:
    """Return the settings by pip's names; `pip` is what pip itself would use, files included.

    A setting of either pip or uv counts for both. Folders of this machine are left out, as a build
    does not see them. A value with a login is a secret.
    """
    return tuple(pair for name in SETTINGS for pair in _pairs(name, environ, pip))


def folders(environ: Variables, pip: Variables) -> tuple[str, ...]:
    """Return the folders of this machine in which pip or uv look for wheels."""
    words = SEPARATOR.split(f"{environ.get('UV_FIND_LINKS', '')} {pip.get('find-links', '')}")
    local = (word.removeprefix("file://") for word in words if word and not URL.fullmatch(word))
    return tuple(dict.fromkeys(local))


def logins(value: str) -> tuple[str, ...]:
    """Return the logins in a list of URLs, exactly as they are written."""
    hosts = (match["host"] for match in URL.finditer(value))
    return tuple(host.rpartition("@")[0] for host in hosts if "@" in host)


def pip_conf(settings: Environment) -> str:
    """Return the text of a pip.conf, secrets included."""
    values = (
        (name, value.value if isinstance(value, Secret) else value) for name, value in settings
    )
    return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in values)


def pip_conf_word(settings: Environment) -> str:
    """Return a shell word that expands to the `pip_conf`; the shell supplies the secrets."""
    values = ((name, _shell_text(name, value)) for name, value in settings)
    return '"[global]\n' + "".join(f"{name} = {value}\n" for name, value in values) + '"'


def _shell_text(name: str, value: Value) -> str:
    """Return a text that expands to the value between double quotes."""
    if isinstance(value, Secret):
        return f"${{{_pip_variable(name)}:?contains a login, take it from {value.origin}}}"
    return SPECIAL.sub(r"\\\g<0>", str(value))


def _pip_variable(name: str) -> str:
    return f"PIP_{name.replace('-', '_').upper()}"


def _pairs(name: str, environ: Variables, pip: Variables) -> Iterator[tuple[str, str | Secret]]:
    variable = _pip_variable(name)
    texts = {variable if variable in environ else "pip's settings": pip.get(name, "")}
    texts |= {uv_variable: environ.get(uv_variable, "") for uv_variable in SETTINGS[name]}
    for origin, text in texts.items():
        if value := " ".join(_usable_words(name, text)):
            yield name, Secret(value, origin) if logins(value) else value
            return


def _usable_words(name: str, text: str) -> Iterator[str]:
    for word in filter(None, SEPARATOR.split(text)):
        match = URL.fullmatch(word)
        if name not in URL_SETTINGS or match:
            yield match["url"] if match else word
