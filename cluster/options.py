"""What the options of the verbs mean, as `inv --help VERB` tells it."""

CLUSTER = {"cluster": "folder below env/ that describes the cluster, or `default` for env/ itself"}
NODE = {"node": "only this node (repeatable)"}
START = {
    "recreate": "replace containers that run with other settings",
    "preflight": "check all nodes first (default); `--no-preflight` leaves it out",
}
JSON = {"json": "print JSON"}
BUILD = {
    "tag": "name of the image (default: IMAGE)",
    "arch": "12.1a, the GPU of a Spark (default), another as `9.0a` or `12.0;12.1a`, or `cpu`",
    "fast": "vLLM anew, all before it from the cache",
    "full": "everything anew: base image, system packages, dependencies, vLLM",
    "no-cache": "make every layer anew",
    "vllm": "released version of vLLM (default: the locked one)",
    "source": "compile vLLM instead, its newest commit",
    "ref": "with --source: a branch, a tag or a commit",
    "repo": "with --source: URL of another repository",
    "jobs": "with --source: compilers at once",
    "base": "another image to begin with",
    "platform": "platform of the image, as `linux/arm64` (default: this machine's)",
}
SHIP = {
    "image": "which image (default: IMAGE)",
    "plan": "show what each node lacks, and copy nothing; the exit code is 1 if there is work",
    "via": "star, from here to each node; chain, from node to node; or auto (default)",
    "compress": "none, zstd, or auto (default): zstd where the link has 10 Gb/s or less",
    "prune": "remove old images of ours from the nodes then, but for those that containers use",
}
SERVE = {
    "model": "a name on the Hugging Face hub, or a folder; `./x` is below the repository",
    "tp": "tensor parallel size (default: all GPUs of the cluster)",
    "host": "address to listen on (default: SERVE_HOST)",
    "port": "port to listen on (default: SERVE_PORT)",
    "max-model-len": "longest context in tokens (default: MAX_MODEL_LEN)",
    "gpu-memory-utilization": "share of each GPU's memory (default: GPU_MEMORY_UTILIZATION)",
}
ENV = {
    "node": "whose variables",
    "format": "dotenv, shell, docker or json",
    "reveal": "show secrets",
}
LOGS = {
    "follow": "go on with what is added",
    "lines": "how many last lines of each log",
    "explain": "say instead what went wrong, why, and what to do; exit code 1 if anything did",
    "json": "with --explain: print JSON",
}
PROBE = {
    "write": "write the files; else show what would change",
    "check": "only say whether the files still describe the machines; exit code 1 if not",
}
DOCTOR = {
    "explain": "what a check looks at, why, and what to do; without a name, all checks",
    "fast": "only what keeps the cluster from working, as `inv up` asks before it starts",
}
NCCL = {"largest": "largest buffer, at most `1g` (default: 256m)"}
