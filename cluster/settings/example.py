"""The example env files: documentation, example and schema at once, rendered from the schema."""

from textwrap import fill

from cluster.settings.key import Key, Scope
from cluster.settings.passthrough import PREFIXES, SECRET_WORDS
from cluster.settings.schema import KEYS

WIDTH = 100

HEADERS: dict[Scope, str] = {
    "cluster": "What all nodes share. Copy this file to env/cluster.env; without that file, every "
    "default holds. A line that begins with `#` and a key shows a default or an example.",
    "node": "One machine. Copy this file to env/<node>.env, such as env/spark1.env: the file's "
    "name is the node's name. A line that begins with `#` and a key shows a default or an example.",
}
PASSED = (
    "Variables of the runtime go to the nodes as they are. Their names begin with "
    f"{', '.join(PREFIXES)}. A node's own file wins over cluster.env, and both win over what the "
    f"project sets. A variable with {', '.join(sorted(SECRET_WORDS)[:-1])} or "
    f"{max(SECRET_WORDS)} in its name is masked wherever it is shown, and so is a URL with a login."
)
VARIABLES: dict[Scope, tuple[str, ...]] = {
    "cluster": ("HF_TOKEN=hf_yours", "NCCL_DEBUG=INFO"),
    "node": ("NCCL_DEBUG=INFO",),
}


def text(scope: Scope) -> str:
    """Return the text of `env/<scope>.env.example`."""
    keys = (_paragraph(key) for key in KEYS[scope])
    variables = "\n".join((_prose(PASSED), *(f"#{line}" for line in VARIABLES[scope])))
    return "\n\n".join((_prose(HEADERS[scope]), *keys, variables)) + "\n"


def _paragraph(key: Key[object]) -> str:
    line = f"{key.name}={key.default or key.example}"
    return f"{_prose(key.meaning)}\n{line if key.required or key.advised else f'#{line}'}"


def _prose(sentences: str) -> str:
    return fill(sentences, WIDTH, initial_indent="# ", subsequent_indent="# ")
