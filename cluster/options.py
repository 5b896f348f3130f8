"""The options that several verbs have: what each means, and the letters of all options."""

from cluster.commands.serve_flag import serve_flags
from cluster.commands.vllm import ServeRequest

SHARED = {
    "node": "only this node (repeatable)",
    "cluster": "cluster to use: a folder in env/, or `default` for env/ itself",
    "recreate": "replace containers that run with different settings",
    "preflight": "check all nodes before starting (default); skip with `--no-preflight`",
    "json": "print JSON",
}
"""The meaning of an option unless the verb gives its own; the help of a verb lists these last."""
LETTERS = {
    "cluster": "c",
    "detach": "d",
    "explain": "e",
    "follow": "f",
    "json": "j",
    "keep": "k",
    "model": "m",
    "node": "n",
    "port": "p",
    "tag": "t",
    "write": "w",
}
"""The letter of an option, the same in every verb that has the option; the others have none."""
SERVE = {flag.option: flag.help for flag in serve_flags(ServeRequest)}
