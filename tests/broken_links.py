"""One thing broken on a link or between nodes, and its only findings."""

from tests.edits import (
    BIG_UNANSWERED,
    CLOSED,
    ETH,
    NO_RDMA,
    TEN_GIGABIT,
    TWIN,
    UNANSWERED,
    Broken,
    each,
    field,
    files,
    given,
    line,
    on,
    others,
    sysfs,
    unaddressed,
    unplugged,
)

LINKS = {
    "the 10 Gb/s port": Broken(
        edits=(
            *files(("ETH_IF=.*", "ETH_IF=enP7s7"), (r"192.168.177.1(\d)", r"192.168.1.6\1")),
            *each(*TEN_GIGABIT),
        ),
        findings=("slow link-speed spark1", "slow link-speed spark2"),
    ),
    "a misspelt interface": Broken(
        edits=(("spark2.env", "ETH_IF=.*", "ETH_IF=enp1s0f1np0"),),
        findings=("blocks interface spark2",),
    ),
    "the interface of the other port": Broken(
        edits=(("spark2.env", "ETH_IF=.*", "ETH_IF=enp1s0f0np0"),),
        findings=("blocks address spark2",),
    ),
    "an address that is nowhere": Broken(
        edits=on("spark2", *unaddressed(ETH, "rocep1s0f1")),
        findings=("blocks address spark2",),
    ),
    "a cable that is out": Broken(
        edits=each(*unplugged(ETH, "rocep1s0f1"), *unplugged(TWIN, "roceP2p1s0f1"), UNANSWERED),
        findings=("blocks cable spark1", "blocks cable spark2"),
    ),
    "one twin with a link": Broken(
        edits=on("spark2", *unplugged(TWIN, "roceP2p1s0f1")),
        findings=("slow twin-cable spark2",),
    ),
    "a twin without an address": Broken(
        edits=on("spark2", *unaddressed(TWIN, "roceP2p1s0f1")),
        findings=("slow twin-address spark2",),
    ),
    "100 Gb/s": Broken(
        edits=each((r"^(/sys/class/net/\w+f1np1/speed):200000", r"\1:100000")),
        findings=("slow link-speed spark1", "slow link-speed spark2"),
    ),
    "two PCIe lanes of four": Broken(
        edits=on("spark1", sysfs(r"net/enP2p1s0f\dnp\d/device/current_link_width", "2")),
        findings=("slow pcie-width spark1",),
    ),
    "addresses that change": Broken(
        edits=(
            *files(("192.168.177", "169.254.177")),
            *each(("192.168.177", "169.254.177"), ("c0a8:b1", "a9fe:b1")),
        ),
        findings=("note link-local spark1", "note link-local spark2"),
    ),
    "the way out over the cable": Broken(
        edits=(("spark2", '("dst":"default",.*?"dev":)"enP7s7"', rf'\1"{ETH}"'),),
        findings=("note default-route spark2",),
    ),
}
RDMA = {
    "no RDMA device": Broken(
        edits=on("spark2", NO_RDMA),
        findings=("blocks rdma-none spark2",),
    ),
    "a misspelt device": Broken(
        edits=(("spark1.env", "IB_IF=.*", "IB_IF=rocep1s0f1,rocep2p1s0f1"),),
        findings=("blocks rdma-names spark1",),
    ),
    "the devices of the other port": Broken(
        edits=(("spark1.env", "IB_IF=.*", "IB_IF=rocep1s0f0,roceP2p1s0f0"),),
        findings=("blocks rdma-pair spark1",),
    ),
    "one twin that is active": Broken(
        edits=on("spark1", sysfs("infiniband/rocep1s0f1/ports/1/state", "2: INIT")),
        findings=("slow rdma-half spark1",),
    ),
    "a port that is not active": Broken(
        edits=on("spark1", sysfs(r"infiniband/roce\w+f1/ports/1/state", "2: INIT")),
        findings=("blocks rdma-port spark1",),
    ),
    "a port that is not active, among four devices": Broken(
        edits=(
            ("spark1.env", "IB_IF=.*", "IB_IF=rocep1s0f0,roceP2p1s0f0,rocep1s0f1,roceP2p1s0f1"),
            *on("spark1", sysfs(r"infiniband/roce\w+f1/ports/1/state", "2: INIT")),
        ),
        findings=("blocks rdma-port spark1",),
    ),
    "no device files": Broken(
        edits=on("spark2", (r"^/dev/infiniband/uverbs.*\n", "")),
        findings=("blocks rdma-files spark2",),
    ),
    "sockets only": Broken(
        edits=files(("IB_IF=.*", "IB_IF=")),
        findings=("slow rdma-unused spark1", "slow rdma-unused spark2"),
    ),
    "one device of two": Broken(
        edits=files(("IB_IF=.*", "IB_IF=rocep1s0f1")),
        findings=("slow rdma-half spark1", "slow rdma-half spark2"),
    ),
    "the wrong GID row": Broken(
        edits=(line("spark1.env", "NCCL_IB_GID_INDEX=5"),),
        findings=("blocks gid-index spark1",),
    ),
    "a GID row of RoCE v1": Broken(
        edits=(line("cluster.env", "NCCL_IB_GID_INDEX=2"),),
        findings=("blocks gid-index spark1", "blocks gid-index spark2"),
    ),
    "memory that RDMA cannot register": Broken(
        edits=on(
            "spark2",
            ("6.17.0-1031-nvidia", "7.0.0-1019-nvidia"),
            ("(CmaTotal: +)65536", r"\g<1>0"),
            ("(CmaFree: +)33792", r"\g<1>940604"),
        ),
        findings=("blocks kernel-memory spark2",),
    ),
}
BETWEEN = {
    "swapped addresses": Broken(
        edits=(
            *given("spark1", 12),
            *given("spark2", 11),
        ),
        findings=("blocks twice spark1, spark2",),
    ),
    "the address of another": Broken(
        edits=(
            *on("spark2", ('"local":"192.168.177.12"', '"local":"192.168.177.11"')),
            *on("spark2", ("c0a8:b10c", "c0a8:b10b"), ("^192.168.177.12 ", "192.168.1.62 ")),
        ),
        findings=("blocks twice spark1, spark2",),
    ),
    "no answer": Broken(
        edits=each(UNANSWERED, CLOSED),
        findings=("blocks reach spark1, spark2",),
    ),
    "another MTU": Broken(
        edits=(
            *on("spark1", BIG_UNANSWERED),
            *on("spark2", field(ETH, "mtu", "1500"), (r"^(ping \S+ \S+) 9000 ", r"\1 1500 ")),
        ),
        findings=("slow mtu-same spark1, spark2",),
    ),
    "a switch with another MTU": Broken(
        edits=each(BIG_UNANSWERED),
        findings=("blocks mtu spark1, spark2",),
    ),
    "a way around": Broken(
        edits=on("spark1", (r'^(route .*"dev":)"[^"]*"', r'\1"enP7s7"')),
        findings=("blocks route spark1",),
    ),
    "a firewall of the head": Broken(
        edits=(
            *on("spark1", ("^ENABLED=no", "ENABLED=yes")),
            *on("spark2", CLOSED),
        ),
        findings=("blocks head-port spark1, spark2",),
    ),
    "a firewall of a worker": Broken(
        edits=(
            *on("spark2", ("^ENABLED=no", "ENABLED=yes")),
            *on("spark1", CLOSED),
        ),
        findings=("blocks worker-port spark1, spark2",),
    ),
    "a variable of a search for a fault": Broken(
        edits=(line("cluster.env", "NCCL_IB_DISABLE=1"),),
        findings=("slow debugging spark1, spark2",),
    ),
    "NCCL's mark in gloo's variable": Broken(
        edits=(line("cluster.env", "GLOO_SOCKET_IFNAME==enp1s0f1np1"),),
        findings=("blocks gloo spark1, spark2",),
    ),
    "one name for two interfaces": Broken(
        situation="asymmetric",
        edits=(line("cluster.env", "GLOO_SOCKET_IFNAME=enp1s0f2np2"),),
        findings=("blocks gloo spark1, spark2",),
    ),
}
MANY = {
    "one of four that nobody reaches": Broken(
        situation="switch",
        edits=(
            *on("spark3", UNANSWERED, CLOSED),
            *others(r"^(ping \S+ 10.30.0.13 \d+) 0 .*", r"\1 1 1 packets transmitted, 0 received"),
            *others(r"^(port 10.30.0.13 \d+) 0.*", r"\1 124 "),
        ),
        findings=("blocks reach spark3",),
    ),
    "another MTU at one of four": Broken(
        situation="switch",
        edits=(
            *on("spark3", field("enp1s0f0np0", "mtu", "1500")),
            *on("spark3", (r"^(ping \S+ \S+) 9000 ", r"\1 1500 ")),
            *others(r"^(ping \S+ 10.30.0.13 9000) 0 .*", r"\1 1 1 packets transmitted, 0 received"),
        ),
        findings=("slow mtu-same spark1, spark2, spark3, spark4",),
    ),
    "another kernel on one of four": Broken(
        situation="switch",
        edits=(("spark4", "6.17.0-1031-nvidia", "6.17.0-1014-nvidia"),),
        findings=("slow kernel-same spark1, spark2, spark3, spark4",),
    ),
    "a cable of the ring": Broken(
        situation="ring",
        edits=(
            *on(
                "spark1",
                *unplugged("enp1s0f0np0", "rocep1s0f0"),
                *unplugged("enP2p1s0f0np0", "roceP2p1s0f0"),
            ),
            *on(
                "spark2",
                *unplugged("enp1s0f1np1", "rocep1s0f1"),
                *unplugged("enP2p1s0f1np1", "roceP2p1s0f1"),
            ),
        ),
        findings=("blocks rdma-port spark1", "blocks rdma-port spark2"),
    ),
}
