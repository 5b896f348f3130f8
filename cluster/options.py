"""The options that several verbs have: what each means, and the letters of all options."""

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
SERVE = {
    "model": "name on the Hugging Face Hub, or a folder; `./x` is below the repository",
    "tp": "tensor parallel size (default: all GPUs of the cluster)",
    "host": "address to listen on (default: SERVE_HOST)",
    "port": "port to listen on (default: SERVE_PORT)",
    "max-model-len": "longest context in tokens (default: MAX_MODEL_LEN)",
    "gpu-memory-utilization": "share of each GPU's memory (default: GPU_MEMORY_UTILIZATION)",
}
