"""Failures on one node: memory or a disk is full, or a model, a flag or the image does not fit."""

from cluster.logs.signature import Signature

HUB = "huggingface_hub/errors.py"
LESS_MEMORY = "lower GPU_MEMORY_UTILIZATION in {cluster_file}, then {inv:serve}"

MEMORY = (
    Signature(
        name="gpu-memory-taken",
        patterns=("Free memory on device…({free}/{total} GiB) on startup is less than",),
        meaning="only {free} of {total} GiB were free when vLLM started; on a Spark, the page "
        "cache and all programs share this memory",
        remedy="{inv:doctor} shows what uses it: checks `memory`, `page-cache` and `gpu-busy`; "
        "otherwise " + LESS_MEMORY,
        source="vllm/v1/worker/utils.py",
    ),
    Signature(
        name="context-too-long",
        patterns=("max seq len ({requested})…the estimated maximum model length is {longest}.",),
        meaning="besides the weights, there is memory for a context of {longest} tokens, but "
        "{requested} were requested",
        remedy="{inv:serve --max-model-len {longest}}, or set MAX_MODEL_LEN={longest} in "
        "{cluster_file}",
        source="vllm/v1/core/kv_cache_utils.py",
    ),
    Signature(
        name="no-room-for-context",
        patterns=(
            "To serve at least one request with the model's max seq len ({requested})",
            "No available memory for the cache blocks",
        ),
        meaning="weights and buffers leave no memory for a context",
        remedy="raise GPU_MEMORY_UTILIZATION in {cluster_file}, though 0.9 is high for a Spark; "
        "otherwise use a smaller model or more nodes",
        source="vllm/v1/core/kv_cache_utils.py",
    ),
    Signature(
        name="context-cache-too-large",
        patterns=("on kv cache allocation is less than requested memory for kv ({requested} GiB)",),
        meaning="{requested} GiB were requested for the KV cache, but the node has less",
        remedy="lower --kv-cache-memory-bytes in SERVE_ARGS, or VLLM_CPU_KVCACHE_SPACE, in "
        "{cluster_file}",
        source="tests/captures/serve-kv-cache-too-large.log",
    ),
    Signature(
        name="gpu-memory-full",
        patterns=("CUDA out of memory. Tried to allocate", "CUDA error: out of memory"),
        meaning="the computation needs more memory than vLLM may use",
        remedy="lower MAX_MODEL_LEN, or --max-num-seqs in SERVE_ARGS, in {cluster_file}; "
        "otherwise " + LESS_MEMORY,
        source="https://github.com/wtdcode/vllm-backport/issues/24",
    ),
    Signature(
        name="killed-by-ray",
        patterns=(
            "ray.exceptions.OutOfMemoryError",
            "killed due to the node running low on memory",
            "(tasks / actors) killed due to memory pressure (OOM)",
        ),
        any_level=True,
        meaning="Ray killed a worker because nearly all memory of the node was in use, including "
        "the page cache",
        remedy="remove RAY_memory_monitor_refresh_ms from the env files, because this project sets "
        "it to 0; otherwise " + LESS_MEMORY,
        source="https://docs.ray.io/en/latest/ray-core/scheduling/ray-oom-prevention.html",
    ),
    Signature(
        name="killed-by-kernel",
        patterns=("Out of memory: Killed process", "Memory cgroup out of memory: Killed process"),
        any_level=True,
        meaning="the kernel killed a process because no memory was left",
        remedy=LESS_MEMORY,
        source="mm/oom_kill.c of Linux",
    ),
    Signature(
        name="killed",
        patterns=(
            "has ended with exit code 137",
            "raylet [exit code=-9]",
            "^Killed",
        ),
        any_level=True,
        meaning="a process was killed (SIGKILL): by the kernel or earlyoom to free memory, or by "
        "hand",
        remedy="{run:sudo dmesg | grep -i -e oom -e killed} shows which; then lower "
        "GPU_MEMORY_UTILIZATION in {cluster_file} and run {inv:up} and {inv:serve}",
        source="tests/captures/ray-raylet-killed.log",
    ),
    Signature(
        name="driver-without-memory",
        patterns=("NV_ERR_NO_MEMORY",),
        any_level=True,
        distance=1,
        meaning="the NVIDIA driver could not allocate memory, which happens even if MemAvailable "
        "is high; many of these precede a frozen machine, a single one may be harmless",
        remedy=LESS_MEMORY,
        source="https://github.com/vllm-project/vllm/issues/56824",
    ),
    Signature(
        name="shared-memory-full",
        patterns=(
            "Error while creating shared memory segment /dev/shm",
            "failed to extend /dev/shm",
        ),
        any_level=True,
        meaning="the container's shared memory is full",
        remedy="raise SHM_SIZE in {cluster_file}, then {inv:up --recreate}",
        source="https://github.com/NVIDIA/nccl/issues/342",
    ),
    Signature(
        name="shared-memory-removed",
        patterns=("FileNotFoundError: [Errno 2] No such file or directory: '/psm_",),
        meaning="shared memory disappeared while vLLM started: systemd-logind removes it when the "
        "user's last session ends",
        remedy="{run:sudo loginctl enable-linger $USER}, or set SHM_SIZE=16g instead of `host` in "
        "{cluster_file}; {inv:doctor --explain shared-memory-removal}",
        source="https://github.com/vllm-project/vllm/issues/54259",
    ),
    Signature(
        name="disk-nearly-full",
        patterns=("file_system_monitor…is over {share} full",),
        any_level=True,
        note=True,
        meaning="the disk with Ray's session folder is nearly full",
        remedy="{run:df -h} shows which; {inv:ship --prune} removes old images",
        source="https://github.com/vllm-project/vllm/issues/3568",
    ),
    Signature(
        name="disk-full",
        patterns=("No space left on device", "Not enough free disk space to download the file"),
        any_level=True,
        meaning="a disk is full, usually the one with HF_CACHE",
        remedy="{run:df -h} shows which; {inv:ship --prune} removes old images; HF_CACHE in "
        "{cluster_file} can name a folder on another disk",
        source="https://github.com/huggingface/huggingface_hub/issues/2742",
    ),
)
"""What vLLM, CUDA, Ray and the kernel log when memory or a disk is full."""

MODEL = (
    Signature(
        name="gated-model",
        patterns=(
            "Cannot access gated repo for url",
            "You are trying to access a gated repo",
            "GatedRepoError:",
        ),
        meaning="the model is gated: it needs the token of a user whom its owner has approved",
        remedy="request access on the model's page, set HF_TOKEN in {cluster_file}, then "
        "{inv:up --recreate}",
        source=HUB,
    ),
    Signature(
        name="unknown-model",
        patterns=(
            "RepositoryNotFoundError:",
            "Repository Not Found for url:",
            "is not a valid model identifier listed on",
        ),
        meaning="Hugging Face has no such model, or the model is private and needs a token",
        remedy="compare MODEL in {cluster_file}, or --model, with the model's page; for a private "
        "model, set HF_TOKEN in {cluster_file}, then {inv:up --recreate}",
        source=HUB,
    ),
    Signature(
        name="hub-refuses",
        patterns=("401 Client Error", "403 Client Error", "403 Forbidden:"),
        distance=1,
        meaning="Hugging Face rejects the token or requires one",
        remedy="set a valid HF_TOKEN in {cluster_file}, then {inv:up --recreate}",
        source=HUB,
    ),
    Signature(
        name="hub-out-of-reach",
        patterns=(
            "outgoing traffic has been disabled",
            "offline mode is enabled",
            "we cannot find the requested files in the local cache",
            "we cannot find the appropriate snapshot folder",
            "couldn't find them in the cached files",
        ),
        meaning="the model is not in this node's HF_CACHE, and Hugging Face cannot be reached or "
        "HF_HUB_OFFLINE is set",
        remedy="connect the node to the Internet, or copy the model into its HF_CACHE; "
        "{inv:doctor} shows which nodes have it, check `models`",
        source=HUB,
    ),
    Signature(
        name="no-such-folder",
        patterns=(
            "Repo id must be in the form 'repo_name' or 'namespace/repo_name': '{folder}'",
            "Repo id must be in the form",
        ),
        meaning="the model's folder does not exist where vLLM looks for it, so vLLM takes the path "
        "for a name on Hugging Face",
        remedy="name a folder that the container of every node has: below HF_CACHE, or below this "
        "repository as `./x`",
        source="tests/captures/serve-no-model.log",
    ),
    Signature(
        name="no-weights",
        patterns=("Cannot find any model weights with",),
        meaning="the model's folder on this node has no weights, or only some of them",
        remedy="download the model again on {node}, to the same folder as on the other nodes",
        source="tests/captures/serve-no-weights.log",
    ),
    Signature(
        name="longer-than-model",
        patterns=(
            "User-specified max_model_len ({requested}) is greater than the derived max_model_len",
        ),
        meaning="a context of {requested} tokens is longer than the model was trained for",
        remedy="lower MAX_MODEL_LEN in {cluster_file}, or --max-model-len, then {inv:serve}",
        source="tests/captures/serve-too-long.log",
    ),
    Signature(
        name="unknown-flag",
        patterns=("error: unrecognized arguments: {flag}",),
        meaning="this version of vLLM does not have the flag {flag}",
        remedy="correct it in SERVE_ARGS in {cluster_file}, or after the `--` of `inv serve`",
        source="tests/captures/serve-bad-flag.log",
    ),
    Signature(
        name="unknown-ray-flag",
        patterns=("^Error: No such option '{flag}'",),
        meaning="this version of Ray does not have the flag {flag}",
        remedy="{new_image}: the image is older or newer than this repository",
        source="tests/captures/ray-bad-flag.log",
    ),
    Signature(
        name="unknown-variable",
        patterns=("Unknown vLLM environment variable detected: {name}",),
        any_level=True,
        note=True,
        meaning="vLLM ignores {name}: it is misspelled, or this version no longer has it",
        remedy="correct it in the env files, or remove it",
        source="https://github.com/gpustack/gpustack/issues/5556",
    ),
    Signature(
        name="weights-loading",
        patterns=("checkpoint shards:…Completed",),
        recovery="checkpoint shards: 100%",
        any_level=True,
        note=True,
        meaning="the log ends while the weights are loading; if that has stopped and uses no CPU "
        "time, the page cache holds the memory that it needs",
        remedy="{run:sudo sysctl vm.drop_caches=3}",
        source="https://docs.nvidia.com/dgx/dgx-spark/known-issues.html",
    ),
    Signature(
        name="rank-late",
        patterns=("RPC call to {method} timed out",),
        distance=1,
        meaning="a rank did not answer in time: its node is out of memory, overloaded or down",
        remedy="{inv:status}, then {inv:doctor}, checks `memory` and `pressure`",
        source="https://github.com/vllm-project/vllm/issues/46611",
    ),
    Signature(
        name="rank-silent",
        patterns=("No available shared memory broadcast block found in {seconds} seconds",),
        any_level=True,
        distance=2,
        meaning="a rank does not respond: it is compiling, hangs, or is gone",
        remedy="wait while it is compiling; otherwise {inv:status} and the logs of the other nodes",
        source="vllm/distributed/device_communicators/shm_broadcast.py",
    ),
    Signature(
        name="engine-ended",
        patterns=(
            "EngineCore encountered a fatal error",
            "Engine core initialization failed",
            "EngineCore failed to start",
            "died unexpectedly…shutting down executor",
            "EngineDeadError:",
        ),
        distance=2,
        meaning="the engine ended because of an earlier error of a rank",
        remedy="{inv:logs} shows the first error",
        source="vllm/v1/engine/core.py",
    ),
)
"""What vLLM and the Hub log when a model or a flag does not work here."""

MACHINE = (
    Signature(
        name="port-taken",
        patterns=("Address already in use", "address already in use"),
        meaning="another program is listening on that port",
        remedy="{run:sudo ss -ltnp} shows which; stop it, or set a different SERVE_PORT or "
        "HEAD_PORT in {cluster_file}",
        source="tests/captures/serve-port-taken.log",
    ),
    Signature(
        name="no-gpu-specification",
        patterns=("unresolvable CDI devices", "failed to inject CDI devices"),
        any_level=True,
        meaning="the CDI specification of the GPUs is missing or older than the driver",
        remedy="{run:sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml}, or set "
        "ACCELERATOR=nvidia in {cluster_file}",
        source="https://github.com/NVIDIA/nvidia-container-toolkit/issues/434",
    ),
    Signature(
        name="no-gpu-runtime",
        patterns=("could not select device driver",),
        any_level=True,
        meaning="Docker on this node is not configured for NVIDIA's container toolkit",
        remedy="{run:sudo nvidia-ctk runtime configure --runtime=docker}, then "
        "{run:sudo systemctl restart docker}",
        source="https://github.com/NVIDIA/nvidia-container-toolkit/issues/434",
    ),
    Signature(
        name="compiler-too-old",
        patterns=("Value '{gpu}' is not defined for option 'gpu-name'",),
        meaning="the image's ptxas is older than CUDA 13 and does not know this GPU ({gpu})",
        remedy="{new_image}; until then set TRITON_PTXAS_PATH=/usr/local/cuda/bin/ptxas, if the "
        "image has a newer one there",
        source="https://github.com/triton-lang/triton/issues/8539",
    ),
    Signature(
        name="built-for-another-gpu",
        patterns=("no kernel image is available for execution on the device",),
        meaning="PyTorch or vLLM in the image was not built for this GPU",
        remedy="{inv:build}, which builds for the GPU of a Spark, then {inv:ship}",
        source="https://github.com/vllm-project/vllm/issues/1936",
    ),
)
"""What the machine, Docker and CUDA log when a port, a GPU or the image does not fit."""
