"""What vLLM, CUDA, Ray and the kernel say when memory or a disk is full."""

from cluster.logs.signature import Signature

OOM = "{on:sudo dmesg | grep -i -e oom -e killed}"
LESS = "a lower GPU_MEMORY_UTILIZATION in {shared}, then {inv:serve}"

MEMORY = (
    Signature(
        name="gpu-memory-taken",
        words=("Free memory on device…({free}/{total} GiB) on startup is less than",),
        meaning="of {total} GiB only {free} were free when vLLM started; on a Spark the page "
        "cache and all programs share them",
        next="{inv:doctor} names who holds them: checks `memory`, `page-cache`, `gpu-busy`; else "
        + LESS,
        source="vllm/v1/worker/utils.py",
    ),
    Signature(
        name="context-too-long",
        words=("max seq len ({asked})…the estimated maximum model length is {longest}.",),
        meaning="beside the weights there is room for a context of {longest} tokens, and {asked} "
        "are asked for",
        next="{inv:serve --max-model-len {longest}}, or MAX_MODEL_LEN={longest} in {shared}",
        source="vllm/v1/core/kv_cache_utils.py",
    ),
    Signature(
        name="no-room-for-context",
        words=(
            "To serve at least one request with the model's max seq len ({asked})",
            "No available memory for the cache blocks",
        ),
        meaning="weights and buffers leave no room for a context",
        next="a higher GPU_MEMORY_UTILIZATION in {shared}, where 0.9 is much for a Spark; "
        "else a smaller model, or more nodes",
        source="vllm/v1/core/kv_cache_utils.py",
    ),
    Signature(
        name="context-cache-too-large",
        words=("on kv cache allocation is less than requested memory for kv ({wanted} GiB)",),
        meaning="{wanted} GiB are asked for the context's cache, and the node has less",
        next="a lower --kv-cache-memory-bytes in SERVE_ARGS, or VLLM_CPU_KVCACHE_SPACE, in "
        "{shared}",
        source="tests/captures/serve-kv-cache-too-large.log",
    ),
    Signature(
        name="gpu-memory-full",
        words=("CUDA out of memory. Tried to allocate", "CUDA error: out of memory"),
        meaning="the memory that vLLM may take did not suffice for what it computes",
        next="a lower MAX_MODEL_LEN, or --max-num-seqs in SERVE_ARGS, in {shared}; else " + LESS,
        source="https://github.com/wtdcode/vllm-backport/issues/24",
    ),
    Signature(
        name="killed-by-ray",
        words=(
            "ray.exceptions.OutOfMemoryError",
            "killed due to the node running low on memory",
            "(tasks / actors) killed due to memory pressure (OOM)",
        ),
        soft=True,
        meaning="Ray killed a worker because nearly all memory of the node was in use, the page "
        "cache included",
        next="take RAY_memory_monitor_refresh_ms out of the env files, where this project sets "
        "0; else " + LESS,
        source="https://docs.ray.io/en/latest/ray-core/scheduling/ray-oom-prevention.html",
    ),
    Signature(
        name="killed-by-kernel",
        words=("Out of memory: Killed process", "Memory cgroup out of memory: Killed process"),
        soft=True,
        meaning="the kernel killed a process because no memory was left",
        next=LESS,
        source="mm/oom_kill.c of Linux",
    ),
    Signature(
        name="killed",
        words=(
            "has ended with exit code 137",
            "raylet [exit code=-9]",
            "^Killed",
        ),
        soft=True,
        meaning="a process was killed (SIGKILL): by the kernel or earlyoom for memory, or by hand",
        next=OOM
        + " tells; then a lower GPU_MEMORY_UTILIZATION in {shared}, {inv:up} and {inv:serve}",
        source="tests/captures/ray-raylet-killed.log",
    ),
    Signature(
        name="driver-without-memory",
        words=("NV_ERR_NO_MEMORY",),
        soft=True,
        indirect=1,
        meaning="the NVIDIA driver got no memory, which happens while MemAvailable looks fine; "
        "many of these precede a frozen machine, a single one need not mean anything",
        next=LESS,
        source="https://github.com/vllm-project/vllm/issues/56824",
    ),
    Signature(
        name="shared-memory-full",
        words=(
            "Error while creating shared memory segment /dev/shm",
            "failed to extend /dev/shm",
        ),
        soft=True,
        meaning="the container's shared memory is full",
        next="a larger SHM_SIZE in {shared}, then {inv:up --recreate}",
        source="https://github.com/NVIDIA/nccl/issues/342",
    ),
    Signature(
        name="shared-memory-removed",
        words=("FileNotFoundError: [Errno 2] No such file or directory: '/psm_",),
        meaning="shared memory vanished while vLLM started: systemd-logind removes it when the "
        "user's last session ends",
        next="{on:sudo loginctl enable-linger $USER}, or SHM_SIZE=16g instead of `host` in {shared}"
        "; {inv:doctor --explain shared-memory-removal}",
        source="https://github.com/vllm-project/vllm/issues/54259",
    ),
    Signature(
        name="disk-nearly-full",
        words=("file_system_monitor…is over {share} full",),
        soft=True,
        note=True,
        meaning="the disk with Ray's session is nearly full",
        next="{on:df -h} shows it; {inv:ship --prune} removes old images",
        source="https://github.com/vllm-project/vllm/issues/3568",
    ),
    Signature(
        name="disk-full",
        words=("No space left on device", "Not enough free disk space to download the file"),
        soft=True,
        meaning="a disk is full, mostly the one with HF_CACHE",
        next="{on:df -h} shows which; {inv:ship --prune} removes old images, HF_CACHE in {shared} "
        "can name a folder elsewhere",
        source="https://github.com/huggingface/huggingface_hub/issues/2742",
    ),
)
