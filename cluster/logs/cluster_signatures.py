"""Failures between nodes: Ray lacks nodes or GPUs; ranks do not connect, or not by RDMA."""

from cluster.logs.signature import Signature

NCCL = "https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/env.html"

RAY = (
    Signature(
        name="wrong-address",
        patterns=("No available node types can fulfill resource request…'node:{expected}'",),
        any_level=True,
        meaning="vLLM expects a node with the address {expected}, but no node has joined Ray with "
        "it",
        remedy="compare {inv:status} with HOST_IP in the env files, and remove VLLM_HOST_IP from "
        "them if it is set",
        source="https://github.com/vllm-project/vllm/issues/14111",
    ),
    Signature(
        name="too-few-gpus",
        patterns=(
            "Waiting for creating a placement group of specs for {seconds} seconds",
            "Cannot provide a placement group",
            "No available node types can fulfill resource request",
        ),
        any_level=True,
        meaning="Ray has too few free GPUs: a node has not joined, another server uses them, or "
        "more are requested than the cluster has",
        remedy="{inv:status} shows which nodes have joined; {inv:down --server} frees the GPUs; "
        "otherwise use a smaller --tp",
        source="vllm/v1/executor/ray_utils.py",
    ),
    Signature(
        name="ray-not-used",
        patterns=("World size ({size}) is larger than the number of available GPUs ({gpus})",),
        meaning="vLLM looks for all {size} GPUs on one node, because it was not told to use Ray",
        remedy="remove --distributed-executor-backend and --nnodes from SERVE_ARGS in "
        "{cluster_file}: `inv serve` sets the right values",
        source="vllm/config/parallel.py",
    ),
    Signature(
        name="one-gpu-a-node",
        patterns=(
            "Tensor parallel size ({size}) exceeds available GPUs ({gpus})",
            "tensor_parallel_size={size} is bigger than a reserved number of GPUs ({gpus} GPUs)",
        ),
        any_level=True,
        note=True,
        meaning="this message counts the GPUs of one node only; Ray provides those of the other "
        "nodes",
        remedy="no action needed: normal on Sparks, which have one GPU each",
        source="https://github.com/NVIDIA/dgx-spark-playbooks/issues/63",
    ),
    Signature(
        name="no-ray",
        patterns=(
            "ray: command not found",
            "Using Ray backend requires installation of ray",
            "Please install Ray with `pip install ray`",
        ),
        meaning="the image does not contain Ray; current images of vLLM come without it",
        remedy="{new_image}, then {inv:up --recreate}",
        source="https://github.com/NVIDIA/dgx-spark-playbooks/issues/109",
    ),
    Signature(
        name="ray-versions",
        patterns=("Version mismatch: The cluster was started with:",),
        any_level=True,
        meaning="this node has a different version of Ray or Python than the head",
        remedy="{inv:ship}, then {inv:up --recreate}: all nodes need the same image",
        source="https://github.com/gpustack/gpustack/issues/2691",
    ),
    Signature(
        name="same-address",
        patterns=("Every node should have a unique IP address",),
        meaning="two nodes report the same address to vLLM, or one node reports two addresses",
        remedy="every node needs its own HOST_IP in its env file; {inv:doctor} names the nodes "
        "that collide",
        source="vllm/v1/executor/ray_executor.py",
    ),
    Signature(
        name="wrong-token",
        patterns=(
            "InvalidAuthToken: Authentication token is missing or incorrect",
            "ray.exceptions.AuthenticationError",
        ),
        any_level=True,
        meaning="Ray on the head has a different token than this node: that Ray is from an earlier "
        "run or belongs to another user",
        remedy="{inv:down}, then {inv:up}",
        source="tests/captures/ray-wrong-token.log",
    ),
    Signature(
        name="head-out-of-reach",
        patterns=(
            "Failed to connect to GCS at address {head} within",
            "Failed to connect to GCS within",
            "Failed to get cluster ID from GCS server: TimedOut",
        ),
        any_level=True,
        meaning="this node does not reach Ray on the head: Ray is not running there, the env files "
        "name a wrong address or interface, or a firewall blocks the port",
        remedy="{inv:doctor} finds the reason: checks `reach`, `route` and `head-port`",
        source="tests/captures/ray-no-head.log",
    ),
    Signature(
        name="ray-runs-already",
        patterns=("Ray is trying to start at {head}, but is already running at",),
        meaning="a Ray that does not belong to this cluster is already running there",
        remedy="{inv:down}; if that Ray is still running, {run:ps -ef} shows its owner",
        source="tests/captures/ray-port-taken.log",
    ),
    Signature(
        name="node-lost",
        patterns=("The node with…address: {address} …has been marked dead",),
        any_level=True,
        distance=1,
        meaning="the head has had no heartbeat from this node for a while: its Ray died, its "
        "memory was full, or the cable is unplugged",
        remedy="{inv:logs --node {node}}, then {inv:doctor}",
        source="tests/captures/serve-raylet-killed-loading.log",
    ),
    Signature(
        name="worker-killed",
        patterns=(
            "A worker died or was killed while executing a task…Worker IP address: {address} ",
        ),
        any_level=True,
        meaning="a worker of this node was killed, usually because memory was full",
        remedy="{run:sudo dmesg | grep -i -e oom -e killed} shows whether it was; then lower "
        "GPU_MEMORY_UTILIZATION in {cluster_file} and run {inv:serve}",
        source="tests/captures/serve-worker-killed.log",
    ),
    Signature(
        name="ray-ended",
        patterns=("Raylet is terminated. Termination is unexpected",),
        any_level=True,
        distance=2,
        meaning="Ray died on one of the nodes, usually because it was killed to free memory",
        remedy="{inv:status} shows on which node; {inv:up} starts it again",
        source="tests/captures/serve-raylet-killed-serving.log",
    ),
    Signature(
        name="worker-ended",
        patterns=(
            "ray.exceptions.ActorDiedError",
            "ray.exceptions.NodeDiedError",
            "ray.exceptions.OwnerDiedError",
            "ray.exceptions.WorkerCrashedError",
        ),
        distance=2,
        meaning="Ray reports that a worker or its node is gone",
        remedy="{inv:status} shows what is still running",
        source="tests/captures/serve-raylet-killed-loading.log",
    ),
)
"""What Ray logs, or vLLM about Ray, when nodes, GPUs or workers are missing."""

NETWORK = (
    Signature(
        name="rdma-argument",
        patterns=(
            "ibv_modify_qp failed with 22",
            "ibv_modify_qp failed with error Invalid argument",
        ),
        any_level=True,
        meaning="the two ends of an RDMA connection do not match: NCCL_IB_GID_INDEX is wrong, or "
        "one twin of the port has an address on this node only",
        remedy="remove NCCL_IB_GID_INDEX from the env files; {inv:doctor} compares the other "
        "settings, checks `gid-index` and `twin-address`",
        source="https://github.com/NVIDIA/nccl/issues/1131",
    ),
    Signature(
        name="rdma-row-empty",
        patterns=(
            "ibv_modify_qp failed with 61",
            "ibv_modify_qp failed with error No data available",
        ),
        any_level=True,
        meaning="NCCL_IB_GID_INDEX names an empty row of the GID table, whose rows are renumbered "
        "whenever the interface goes down and up",
        remedy="remove NCCL_IB_GID_INDEX from the env files, then {inv:up --recreate}; "
        "{inv:doctor} shows the table, check `gid-index`",
        source=NCCL,
    ),
    Signature(
        name="rdma-timeout",
        patterns=(
            "ibv_modify_qp failed with 110",
            "ibv_modify_qp failed with error Connection timed out",
        ),
        any_level=True,
        meaning="an RDMA device found no route to the device of the other node: the cable, the "
        "subnet or the GID row is wrong, or NCCL chose the device of the other cable in a ring",
        remedy="{inv:doctor}, checks `reach`, `twin-subnets` and `gid-index`; in a ring, set "
        "NCCL_IB_SUBNET_AWARE_ROUTING=1 in {cluster_file}, then {inv:up --recreate}",
        source="https://github.com/NVIDIA/nccl/issues/2013",
    ),
    Signature(
        name="rdma-no-route",
        patterns=("ibv_modify_qp failed with",),
        any_level=True,
        meaning="an RDMA device cannot connect to the device of the other node",
        remedy="{inv:doctor}, checks `rdma-names`, `rdma-port` and `reach`; then {inv:nccl}",
        source="https://github.com/NVIDIA/nccl-tests/issues/185",
    ),
    Signature(
        name="rdma-retries",
        patterns=(
            "Got completion…status=12 ",
            "Got completion…status=IBV_WC_RETRY_EXC_ERR(12)",
            "Got completion with error 12,",
        ),
        any_level=True,
        meaning="RDMA packets were not acknowledged: the link is bad, its MTU differs, or the "
        "other rank died",
        remedy="{inv:doctor}, checks `mtu` and `reach`; then {inv:nccl}; set NCCL_IB_TIMEOUT only "
        "if both pass",
        source=NCCL,
    ),
    Signature(
        name="rdma-memory",
        patterns=(
            "ibv_reg_mr…Cannot allocate memory",
            "ibv_create_cq failed…Cannot allocate memory",
        ),
        any_level=True,
        meaning="the kernel does not let RDMA pin memory: kernel 7.0 reserves too much of it "
        "(kexec handover), or the limit for locked memory is too low",
        remedy="{inv:doctor --explain kernel-memory}",
        source="https://github.com/MiaAI-Lab/DeepSeek-v4-Flash-DSpark-2x-DGX-Spark/issues/259",
    ),
    Signature(
        name="no-rdma",
        patterns=("NET/IB : No device found",),
        any_level=True,
        note=True,
        meaning="NCCL found no RDMA device and uses TCP, which is slower",
        remedy="{inv:doctor}, checks `rdma-files`, `rdma-names` and `rdma-unused`; no action "
        "needed if IB_IF is empty",
        source="https://github.com/NVIDIA/nccl/issues/952",
    ),
    Signature(
        name="no-gpu-direct",
        patterns=("GPU Direct RDMA Disabled",),
        any_level=True,
        note=True,
        meaning="a Spark neither supports nor needs GPUDirect RDMA: CPU and GPU share one memory",
        remedy="no action needed: normal on a Spark",
        source="https://forums.developer.nvidia.com/t/dgx-spark-gpudirect-rdma/348787/6",
    ),
    Signature(
        name="no-nccl-interface",
        patterns=(
            "Bootstrap : no socket interface found",
            "no NCCL_SOCKET_IFNAME interface found",
            "ncclSocketInit: connecting to address…with family",
        ),
        any_level=True,
        meaning="NCCL_SOCKET_IFNAME names no interface of this node that has an address",
        remedy="correct ETH_IF in {node_file}, then {inv:up --recreate}; {inv:doctor} shows the "
        "interfaces, check `interface`",
        source="https://github.com/NVIDIA/nccl/issues/1837",
    ),
    Signature(
        name="no-gloo-interface",
        patterns=("Unable to find address for: {interface}",),
        meaning="GLOO_SOCKET_IFNAME is {interface}, but this node has no interface of that name "
        "with an address; gloo needs the plain name of one interface",
        remedy="correct ETH_IF in {node_file}, and remove GLOO_SOCKET_IFNAME from the env files; "
        "{inv:doctor --explain gloo}",
        source="https://github.com/aws-samples/aws-do-eks/pull/51",
    ),
    Signature(
        name="gloo-loopback",
        patterns=(
            "Unable to resolve hostname to a (local) address",
            "Gloo connectFullMesh failed…remote=[127.0.0.1]",
        ),
        any_level=True,
        meaning="gloo uses the loopback address, because this node cannot resolve its own host "
        "name and GLOO_SOCKET_IFNAME is not set",
        remedy="{inv:doctor --explain hostname}",
        source="https://github.com/aws-samples/aws-do-eks/pull/50",
    ),
    Signature(
        name="gloo-unconnected",
        patterns=("Gloo connectFullMesh failed", "gloo/transport…Connection refused"),
        meaning="the ranks do not reach each other by TCP: a firewall blocks them, or the "
        "interface is wrong",
        remedy="{inv:doctor}, checks `reach`, `route`, `worker-port` and `gloo`",
        source="https://github.com/vllm-project/vllm/issues/5094",
    ),
    Signature(
        name="peer-lost",
        patterns=(
            "gloo/transport…[{peer}]:…Connection reset by peer",
            "gloo/transport…[{peer}]:…Connection closed by peer",
            "Connection closed by remote peer {peer}",
        ),
        any_level=True,
        distance=1,
        meaning="the rank on {peer} or the link to it is gone",
        remedy="{inv:logs} shows why, in the log of that node; {inv:status} shows what is still "
        "running",
        source="https://github.com/NVIDIA/nccl/issues/1232",
    ),
    Signature(
        name="collective-timeout",
        patterns=("Watchdog caught collective operation timeout",),
        distance=1,
        meaning="a rank waited ten minutes for another rank, which ended, hangs or cannot be "
        "reached",
        remedy="{inv:nccl} tests the link; {inv:doctor} checks the nodes",
        source="https://github.com/vllm-project/vllm/issues/23448",
    ),
    Signature(
        name="nccl-failed",
        patterns=(
            "NCCL error: {error} ",
            "NCCL error in:",
            "^ncclSystemError",
            "^ncclInternalError",
            "^ncclRemoteError",
        ),
        distance=1,
        meaning="NCCL failed; the reason is in NCCL's own warnings",
        remedy="{inv:nccl} shows them; or set NCCL_DEBUG=WARN in {cluster_file}, then "
        "{inv:up --recreate}",
        source=NCCL,
    ),
)
"""What NCCL and gloo log when ranks do not reach each other, or not by RDMA."""
