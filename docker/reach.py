"""Run a command that reaches package indexes as the build's secrets say: `reach.py uv pip ...`.

Both secrets are optional: `ca`, a bundle of certificates, and `pip`, settings of pip's. uv does not
read those, and what they say of this machine's own paths means nothing inside a build, so they
become variables, for this one command. The child's environment is the only place they ever are.
"""

import configparser
import os
import sys
from collections.abc import Mapping
from pathlib import Path

CA = Path("/run/secrets/ca")
PIP = Path("/run/secrets/pip")
BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO")
VARIABLES = {
    "index-url": ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
    "extra-index-url": ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
    "find-links": ("PIP_FIND_LINKS", "UV_FIND_LINKS"),
    "trusted-host": ("PIP_TRUSTED_HOST", "UV_INSECURE_HOST"),
    "timeout": ("PIP_TIMEOUT", "UV_HTTP_TIMEOUT"),
    "retries": ("PIP_RETRIES", "UV_HTTP_RETRIES"),
}
PLACES = ("index-url", "extra-index-url", "find-links")
REMOTE = ("https://", "http://")
COMMAS = {"UV_FIND_LINKS"}
"""Variables whose values are separated by commas; all others by spaces (uv, "Environment")."""


def settings(text: str) -> dict[str, str]:
    """Return what `pip install` reads of a settings file; `default-timeout` is an old name."""
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    sections = (parser[name] for name in ("global", "install") if name in parser)
    found = {name: value for section in sections for name, value in section.items()}
    plain = {name.replace("_", "-").removeprefix("default-"): found[name] for name in found}
    return {name: " ".join(value.split()) for name, value in plain.items()}


def variables(found: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for pip and uv; places that are no URL are on another machine."""
    named: dict[str, str] = {}
    for name in VARIABLES.keys() & found.keys():
        words = [
            word for word in found[name].split() if name not in PLACES or word.startswith(REMOTE)
        ]
        for variable in VARIABLES[name] if words else ():
            named[variable] = ("," if variable in COMMAS else " ").join(words)
    # pip takes the best of all its indexes; uv would take the first that knows the name.
    several = {"UV_INDEX_STRATEGY": "unsafe-best-match"} if "UV_INDEX" in named else {}
    return named | several


def main() -> None:
    """Become the command."""
    if CA.is_file():
        os.environ |= dict.fromkeys(BUNDLES, str(CA))
    if PIP.is_file():
        try:
            os.environ |= variables(settings(PIP.read_text(encoding="utf-8")))
        except (configparser.Error, UnicodeDecodeError):
            # Python's own message would show the line, which may hold a password.
            sys.exit("the build secret `pip` cannot be read as settings of pip's (mend the file)")
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 (a command of the Dockerfile, no shell)


if __name__ == "__main__":
    main()
