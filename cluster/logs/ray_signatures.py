"""What Ray says, and vLLM of Ray, when nodes, GPUs or workers are missing."""

from cluster.logs.signature import Signature

RAY = (
    Signature(
        name="wrong-address",
        words=("No available node types can fulfill resource request…'node:{wanted}'",),
        soft=True,
        meaning="vLLM wants the node with the address {wanted}, and none has joined Ray with it",
        next="compare {inv:status} with HOST_IP in the env files, and take VLLM_HOST_IP out of "
        "them if it is there",
        source="https://github.com/vllm-project/vllm/issues/14111",
    ),
    Signature(
        name="too-few-gpus",
        words=(
            "Waiting for creating a placement group of specs for {seconds} seconds",
            "Cannot provide a placement group",
            "No available node types can fulfill resource request",
        ),
        soft=True,
        meaning="Ray has too few free GPUs: a node has not joined, another server holds them, or "
        "more are asked for than there are",
        next="{inv:status} shows who has joined; {inv:down --server} frees the GPUs; else a "
        "smaller --tp",
        source="vllm/v1/executor/ray_utils.py",
    ),
    Signature(
        name="ray-not-used",
        words=("World size ({size}) is larger than the number of available GPUs ({gpus})",),
        meaning="vLLM looks for all {size} GPUs on one node, since it was not told to use Ray",
        next="take --distributed-executor-backend and --nnodes out of SERVE_ARGS in {shared}: "
        "`inv serve` sets what is right",
        source="vllm/config/parallel.py",
    ),
    Signature(
        name="one-gpu-a-node",
        words=(
            "Tensor parallel size ({size}) exceeds available GPUs ({gpus})",
            "tensor_parallel_size={size} is bigger than a reserved number of GPUs ({gpus} GPUs)",
        ),
        soft=True,
        note=True,
        meaning="vLLM counts the GPUs of one node here; Ray gives it the others",
        next="nothing to do: normal on Sparks, which have one GPU each",
        source="https://github.com/NVIDIA/dgx-spark-playbooks/issues/63",
    ),
    Signature(
        name="no-ray",
        words=(
            "ray: command not found",
            "Using Ray backend requires installation of ray",
            "Please install Ray with `pip install ray`",
        ),
        meaning="the image has no Ray; current images of vLLM come without it",
        next="{renew}, then {inv:up --recreate}",
        source="https://github.com/NVIDIA/dgx-spark-playbooks/issues/109",
    ),
    Signature(
        name="ray-versions",
        words=("Version mismatch: The cluster was started with:",),
        soft=True,
        meaning="Ray or Python is another version on this node than on the head",
        next="{inv:ship}, then {inv:up --recreate}: all nodes need the same image",
        source="https://github.com/gpustack/gpustack/issues/2691",
    ),
    Signature(
        name="same-address",
        words=("Every node should have a unique IP address",),
        meaning="two nodes tell vLLM one address, or a node tells it two",
        next="every node needs its own HOST_IP in its env file; {inv:doctor} names those that "
        "collide",
        source="vllm/v1/executor/ray_executor.py",
    ),
    Signature(
        name="wrong-token",
        words=(
            "InvalidAuthToken: Authentication token is missing or incorrect",
            "ray.exceptions.AuthenticationError",
        ),
        soft=True,
        meaning="Ray at the head has another token than this node: it is an earlier run's, or "
        "somebody else's",
        next="{inv:down}, then {inv:up}",
        source="tests/captures/ray-wrong-token.log",
    ),
    Signature(
        name="head-out-of-reach",
        words=(
            "Failed to connect to GCS at address {head} within",
            "Failed to connect to GCS within",
            "Failed to get cluster ID from GCS server: TimedOut",
        ),
        soft=True,
        meaning="this node does not reach Ray on the head: it does not run, another address or "
        "interface is in the env files, or a firewall is between",
        next="{inv:doctor} finds out which: checks `reach`, `route`, `head-port`",
        source="tests/captures/ray-no-head.log",
    ),
    Signature(
        name="ray-runs-already",
        words=("Ray is trying to start at {head}, but is already running at",),
        meaning="a Ray runs there already, which is not this cluster's",
        next="{inv:down}; if it is still there, {on:ps -ef} shows whose it is",
        source="tests/captures/ray-port-taken.log",
    ),
    Signature(
        name="node-lost",
        words=("The node with…address: {address} …has been marked dead",),
        soft=True,
        indirect=1,
        meaning="the head has not heard from this node for a while: its Ray died, its memory was "
        "full, or the cable is out",
        next="{inv:logs --node {node}}; then {inv:doctor}",
        source="tests/captures/serve-raylet-killed-loading.log",
    ),
    Signature(
        name="worker-killed",
        words=("A worker died or was killed while executing a task…Worker IP address: {address} ",),
        soft=True,
        meaning="a worker of this node was killed, mostly because memory was full",
        next="{on:sudo dmesg | grep -i -e oom -e killed} tells; then a lower "
        "GPU_MEMORY_UTILIZATION in {shared}, then {inv:serve}",
        source="tests/captures/serve-worker-killed.log",
    ),
    Signature(
        name="ray-ended",
        words=("Raylet is terminated. Termination is unexpected",),
        soft=True,
        indirect=2,
        meaning="Ray died on one of the nodes, mostly because it was killed for memory",
        next="{inv:status} shows where; {inv:up} starts it again",
        source="tests/captures/serve-raylet-killed-serving.log",
    ),
    Signature(
        name="worker-ended",
        words=(
            "ray.exceptions.ActorDiedError",
            "ray.exceptions.NodeDiedError",
            "ray.exceptions.OwnerDiedError",
            "ray.exceptions.WorkerCrashedError",
        ),
        indirect=2,
        meaning="Ray reports that a worker is gone, or its node",
        next="{inv:status} shows what still lives",
        source="tests/captures/serve-raylet-killed-loading.log",
    ),
)
