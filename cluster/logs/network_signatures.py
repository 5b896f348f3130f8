"""What NCCL and gloo say when ranks do not reach each other, or not by RDMA."""

from cluster.logs.signature import Signature

NCCL = "https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/env.html"

NETWORK = (
    Signature(
        name="rdma-argument",
        words=(
            "ibv_modify_qp failed with 22",
            "ibv_modify_qp failed with error Invalid argument",
        ),
        soft=True,
        meaning="the two ends of an RDMA connection do not fit: NCCL_IB_GID_INDEX is wrong, or one "
        "twin of the port has an address on this node only",
        next="take NCCL_IB_GID_INDEX out of the env files; {inv:doctor} compares the rest, "
        "checks `gid-index` and `twin-address`",
        source="https://github.com/NVIDIA/nccl/issues/1131",
    ),
    Signature(
        name="rdma-row-empty",
        words=(
            "ibv_modify_qp failed with 61",
            "ibv_modify_qp failed with error No data available",
        ),
        soft=True,
        meaning="NCCL_IB_GID_INDEX names an empty row of the GID table, which is numbered anew "
        "whenever the interface goes down and up",
        next="take NCCL_IB_GID_INDEX out of the env files, then {inv:up --recreate}; {inv:doctor} "
        "shows the table, check `gid-index`",
        source=NCCL,
    ),
    Signature(
        name="rdma-timeout",
        words=(
            "ibv_modify_qp failed with 110",
            "ibv_modify_qp failed with error Connection timed out",
        ),
        soft=True,
        meaning="an RDMA device found no way to the other node's: wrong cable, subnet or GID row, "
        "or a ring in which NCCL took the device of the other cable",
        next="{inv:doctor}, checks `reach`, `twin-subnets` and `gid-index`; in a ring "
        "NCCL_IB_SUBNET_AWARE_ROUTING=1 in {shared}, then {inv:up --recreate}",
        source="https://github.com/NVIDIA/nccl/issues/2013",
    ),
    Signature(
        name="rdma-no-route",
        words=("ibv_modify_qp failed with",),
        soft=True,
        meaning="an RDMA device does not get a connection to the other node's",
        next="{inv:doctor}, checks `rdma-names`, `rdma-port` and `reach`; then {inv:nccl}",
        source="https://github.com/NVIDIA/nccl-tests/issues/185",
    ),
    Signature(
        name="rdma-retries",
        words=(
            "Got completion…status=12 ",
            "Got completion…status=IBV_WC_RETRY_EXC_ERR(12)",
            "Got completion with error 12,",
        ),
        soft=True,
        meaning="RDMA packets got no answer: the link is bad, its MTU differs, or the other rank "
        "died",
        next="{inv:doctor}, checks `mtu` and `reach`; then {inv:nccl}; set NCCL_IB_TIMEOUT only "
        "when both are fine",
        source=NCCL,
    ),
    Signature(
        name="rdma-memory",
        words=(
            "ibv_reg_mr…Cannot allocate memory",
            "ibv_create_cq failed…Cannot allocate memory",
        ),
        soft=True,
        meaning="the kernel does not let RDMA pin memory: kernel 7.0 reserves too much of it "
        "(kexec handover), or the limit for locked memory is low",
        next="{inv:doctor --explain kernel-memory}",
        source="https://github.com/MiaAI-Lab/DeepSeek-v4-Flash-DSpark-2x-DGX-Spark/issues/259",
    ),
    Signature(
        name="no-rdma",
        words=("NET/IB : No device found",),
        soft=True,
        note=True,
        meaning="NCCL found no RDMA device and takes TCP, which is slower",
        next="{inv:doctor}, checks `rdma-files`, `rdma-names`, `rdma-unused`; nothing to do where "
        "IB_IF is empty",
        source="https://github.com/NVIDIA/nccl/issues/952",
    ),
    Signature(
        name="no-gpu-direct",
        words=("GPU Direct RDMA Disabled",),
        soft=True,
        note=True,
        meaning="a Spark does not support GPUDirect RDMA, and needs none: its memory is one",
        next="nothing to do: normal on a Spark",
        source="https://forums.developer.nvidia.com/t/dgx-spark-gpudirect-rdma/348787/6",
    ),
    Signature(
        name="no-nccl-interface",
        words=(
            "Bootstrap : no socket interface found",
            "no NCCL_SOCKET_IFNAME interface found",
            "ncclSocketInit: connecting to address…with family",
        ),
        soft=True,
        meaning="NCCL_SOCKET_IFNAME names no interface of this node that has an address",
        next="correct ETH_IF in {own}, then {inv:up --recreate}; {inv:doctor} shows the "
        "interfaces, check `interface`",
        source="https://github.com/NVIDIA/nccl/issues/1837",
    ),
    Signature(
        name="no-gloo-interface",
        words=("Unable to find address for: {interface}",),
        meaning="GLOO_SOCKET_IFNAME says {interface}, and this node has no such interface with an "
        "address; gloo wants the plain name of one",
        next="correct ETH_IF in {own}, and take GLOO_SOCKET_IFNAME out of the env files; "
        "{inv:doctor --explain gloo}",
        source="https://github.com/aws-samples/aws-do-eks/pull/51",
    ),
    Signature(
        name="gloo-loopback",
        words=(
            "Unable to resolve hostname to a (local) address",
            "Gloo connectFullMesh failed…remote=[127.0.0.1]",
        ),
        soft=True,
        meaning="gloo took the loopback address, since this node does not know its own name and "
        "no GLOO_SOCKET_IFNAME says otherwise",
        next="{inv:doctor --explain hostname}",
        source="https://github.com/aws-samples/aws-do-eks/pull/50",
    ),
    Signature(
        name="gloo-unconnected",
        words=("Gloo connectFullMesh failed", "gloo/transport…Connection refused"),
        meaning="the ranks do not reach each other by TCP: a firewall, or the wrong interface",
        next="{inv:doctor}, checks `reach`, `route`, `worker-port` and `gloo`",
        source="https://github.com/vllm-project/vllm/issues/5094",
    ),
    Signature(
        name="peer-lost",
        words=(
            "gloo/transport…[{peer}]:…Connection reset by peer",
            "gloo/transport…[{peer}]:…Connection closed by peer",
            "Connection closed by remote peer {peer}",
        ),
        soft=True,
        indirect=1,
        meaning="the rank on {peer} is gone, or the link to it",
        next="{inv:logs} of that node has why; {inv:status} shows what still lives",
        source="https://github.com/NVIDIA/nccl/issues/1232",
    ),
    Signature(
        name="collective-timeout",
        words=("Watchdog caught collective operation timeout",),
        indirect=1,
        meaning="a rank waited ten minutes for another, which is gone, stuck, or not reached",
        next="{inv:nccl} tries the link; {inv:doctor} the nodes",
        source="https://github.com/vllm-project/vllm/issues/23448",
    ),
    Signature(
        name="nccl-failed",
        words=(
            "NCCL error: {what} ",
            "NCCL error in:",
            "^ncclSystemError",
            "^ncclInternalError",
            "^ncclRemoteError",
        ),
        indirect=1,
        meaning="NCCL gave up; why, it says only in its own warnings",
        next="{inv:nccl} shows them; or NCCL_DEBUG=WARN in {shared}, then {inv:up --recreate}",
        source=NCCL,
    ),
)
