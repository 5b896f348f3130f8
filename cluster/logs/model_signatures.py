"""What vLLM and the Hub say of a model, a flag or an image that does not work here."""

from cluster.logs.signature import Signature

HUB = "huggingface_hub/errors.py"

MODEL = (
    Signature(
        name="gated-model",
        words=(
            "Cannot access gated repo for url",
            "You are trying to access a gated repo",
            "GatedRepoError:",
        ),
        meaning="the model is only for those whom its owner has let in, and who show a token",
        next="ask for access on the model's page, write HF_TOKEN into {shared}, then "
        "{inv:up --recreate}",
        source=HUB,
    ),
    Signature(
        name="unknown-model",
        words=(
            "RepositoryNotFoundError:",
            "Repository Not Found for url:",
            "is not a valid model identifier listed on",
        ),
        meaning="Hugging Face has no such model, or shows it only to those with a token",
        next="compare MODEL in {shared}, or --model, with the model's page; for a private one "
        "write HF_TOKEN into {shared}, then {inv:up --recreate}",
        source=HUB,
    ),
    Signature(
        name="hub-refuses",
        words=("401 Client Error", "403 Client Error", "403 Forbidden:"),
        indirect=1,
        meaning="Hugging Face refuses the token, or wants one",
        next="write a valid HF_TOKEN into {shared}, then {inv:up --recreate}",
        source=HUB,
    ),
    Signature(
        name="hub-out-of-reach",
        words=(
            "outgoing traffic has been disabled",
            "offline mode is enabled",
            "we cannot find the requested files in the local cache",
            "we cannot find the appropriate snapshot folder",
            "couldn't find them in the cached files",
        ),
        meaning="the model is not in this node's HF_CACHE, and Hugging Face is not reached or "
        "HF_HUB_OFFLINE is set",
        next="connect the node, or copy the model into its HF_CACHE; {inv:doctor} shows which "
        "nodes have it, check `models`",
        source=HUB,
    ),
    Signature(
        name="no-such-folder",
        words=(
            "Repo id must be in the form 'repo_name' or 'namespace/repo_name': '{folder}'",
            "Repo id must be in the form",
        ),
        meaning="the model's folder does not exist where vLLM looks, so it is taken for a name on "
        "Hugging Face",
        next="name a folder that the container of every node has: below HF_CACHE, or below this "
        "repository as `./x`",
        source="tests/captures/serve-no-model.log",
    ),
    Signature(
        name="no-weights",
        words=("Cannot find any model weights with",),
        meaning="the model's folder on this node has no weights, or not all",
        next="fetch the model again on {node}, into the same place as on the other nodes",
        source="tests/captures/serve-no-weights.log",
    ),
    Signature(
        name="longer-than-model",
        words=("User-specified max_model_len ({asked}) is greater than the derived max_model_len",),
        meaning="a context of {asked} tokens is longer than what the model was trained for",
        next="a lower MAX_MODEL_LEN in {shared}, or --max-model-len, then {inv:serve}",
        source="tests/captures/serve-too-long.log",
    ),
    Signature(
        name="unknown-flag",
        words=("error: unrecognized arguments: {flag}",),
        meaning="this version of vLLM does not know the flag {flag}",
        next="correct it in SERVE_ARGS in {shared}, or after the `--` of `inv serve`",
        source="tests/captures/serve-bad-flag.log",
    ),
    Signature(
        name="unknown-ray-flag",
        words=("^Error: No such option '{flag}'",),
        meaning="this version of Ray does not know the flag {flag}",
        next="{renew}: the image is older than this repository, or newer",
        source="tests/captures/ray-bad-flag.log",
    ),
    Signature(
        name="unknown-variable",
        words=("Unknown vLLM environment variable detected: {name}",),
        soft=True,
        note=True,
        meaning="vLLM ignores {name}: misspelt, or removed from this version",
        next="correct it in the env files, or take it out",
        source="https://github.com/gpustack/gpustack/issues/5556",
    ),
    Signature(
        name="weights-loading",
        words=("checkpoint shards:…Completed",),
        until="checkpoint shards: 100%",
        soft=True,
        note=True,
        meaning="the log ends while weights are read; if that stands still without any CPU time, "
        "the page cache holds the memory that they need",
        next="{on:sudo sysctl vm.drop_caches=3}",
        source="https://docs.nvidia.com/dgx/dgx-spark/known-issues.html",
    ),
    Signature(
        name="rank-late",
        words=("RPC call to {method} timed out",),
        indirect=1,
        meaning="a rank did not answer in time: its node is out of memory, overloaded or gone",
        next="{inv:status}, then {inv:doctor}, checks `memory` and `pressure`",
        source="https://github.com/vllm-project/vllm/issues/46611",
    ),
    Signature(
        name="rank-silent",
        words=("No available shared memory broadcast block found in {seconds} seconds",),
        soft=True,
        indirect=2,
        meaning="a rank is silent: it compiles, hangs, or is gone",
        next="wait while it compiles; else {inv:status} and the logs of the other nodes",
        source="vllm/distributed/device_communicators/shm_broadcast.py",
    ),
    Signature(
        name="engine-ended",
        words=(
            "EngineCore encountered a fatal error",
            "Engine core initialization failed",
            "EngineCore failed to start",
            "died unexpectedly…shutting down executor",
            "EngineDeadError:",
        ),
        indirect=2,
        meaning="the engine ended because of what a rank said before",
        next="{inv:logs} has the first error",
        source="vllm/v1/engine/core.py",
    ),
)

MACHINE = (
    Signature(
        name="port-taken",
        words=("Address already in use", "address already in use"),
        meaning="another program listens on that port",
        next="{on:sudo ss -ltnp} shows which; end it, or set another SERVE_PORT or HEAD_PORT in "
        "{shared}",
        source="tests/captures/serve-port-taken.log",
    ),
    Signature(
        name="no-gpu-specification",
        words=("unresolvable CDI devices", "failed to inject CDI devices"),
        soft=True,
        meaning="the CDI specification of the GPUs is missing, or older than the driver",
        next="{on:sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml}, or "
        "ACCELERATOR=nvidia in {shared}",
        source="https://github.com/NVIDIA/nvidia-container-toolkit/issues/434",
    ),
    Signature(
        name="no-gpu-runtime",
        words=("could not select device driver",),
        soft=True,
        meaning="Docker on this node does not know NVIDIA's container toolkit",
        next="{on:sudo nvidia-ctk runtime configure --runtime=docker}, then "
        "{on:sudo systemctl restart docker}",
        source="https://github.com/NVIDIA/nvidia-container-toolkit/issues/434",
    ),
    Signature(
        name="compiler-too-old",
        words=("Value '{gpu}' is not defined for option 'gpu-name'",),
        meaning="the image's ptxas is older than CUDA 13 and does not know this GPU ({gpu})",
        next="{renew}; until then TRITON_PTXAS_PATH=/usr/local/cuda/bin/ptxas, if the image has a "
        "newer one there",
        source="https://github.com/triton-lang/triton/issues/8539",
    ),
    Signature(
        name="built-for-another-gpu",
        words=("no kernel image is available for execution on the device",),
        meaning="PyTorch or vLLM in the image is not built for this GPU",
        next="{inv:build}, which builds for a Spark's; then {inv:ship}",
        source="https://github.com/vllm-project/vllm/issues/1936",
    ),
)
