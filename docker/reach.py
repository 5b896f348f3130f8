"""Run a command with the package indexes of the build's secrets: `reach.py uv pip ...`.

Both secrets are optional: `ca`, a bundle of certificates, and `pip`, pip's settings. uv does not
read pip's settings, and paths of the user's machine mean nothing inside a build, so they become
variables of this command. They are never stored anywhere but in its environment.
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
"""Variables with values separated by commas, not by spaces (uv, "Environment")."""


def settings(text: str) -> dict[str, str]:
    """Return the settings that `pip install` reads; `default-timeout` is an old name."""
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    sections = (parser[name] for name in ("global", "install") if name in parser)
    pairs = (pair for section in sections for pair in section.items())
    return {
        name.replace("_", "-").removeprefix("default-"): " ".join(value.split())
        for name, value in pairs
    }


def variables(options: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for pip and uv; paths of the user's machine are left out."""
    environment: dict[str, str] = {}
    for name in VARIABLES.keys() & options.keys():
        words = [
            word for word in options[name].split() if name not in PLACES or word.startswith(REMOTE)
        ]
        for variable in VARIABLES[name] if words else ():
            environment[variable] = ("," if variable in COMMAS else " ").join(words)
    # pip takes the best match of all indexes; uv by default the first index with the name.
    if "UV_INDEX" in environment:
        environment["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return environment


def main() -> None:
    """Replace this process by the command."""
    if CA.is_file():
        os.environ |= dict.fromkeys(BUNDLES, str(CA))
    if PIP.is_file():
        try:
            os.environ |= variables(settings(PIP.read_text(encoding="utf-8")))
        except (configparser.Error, UnicodeDecodeError):
            # Python's own message would show the line, which may contain a password.
            sys.exit("the build secret `pip` is not a valid pip.conf (correct the file)")
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 (a command of the Dockerfile, no shell)


if __name__ == "__main__":
    main()
