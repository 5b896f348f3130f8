"""One thing broken at a time: how a sound situation is changed, and all that may be found then."""

from dataclasses import dataclass

from tests.situations import Edit

NODES = ("spark1", "spark2")
ETH, TWIN = "enp1s0f1np1", "enP2p1s0f1np1"
"""The halves of the port that the cable is in."""


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A thing that is broken, in the situation `one-cable` where no other is said."""

    edits: tuple[Edit, ...]
    found: tuple[str, ...]
    """Severity, check and place."""
    where: str = "one-cable"


def _each(*edits: tuple[str, str]) -> tuple[Edit, ...]:
    """Return edits of both machines."""
    return tuple((node, old, new) for node in NODES for old, new in edits)


def _files(*edits: tuple[str, str]) -> tuple[Edit, ...]:
    """Return edits of both nodes' env files."""
    return tuple((f"{node}.env", old, new) for node in NODES for old, new in edits)


def _write(file: str, line: str) -> Edit:
    """Add a line to an env file."""
    return (file, r"\A", f"{line}\n")


def _section(name: str, text: str) -> tuple[str, str]:
    """Return the edit that gives a part another answer."""
    return (rf"(?s)^== {name}\n.*?\n(?=\n== )", f"== {name}\n{text}")


def _sysfs(path: str, value: str) -> tuple[str, str]:
    return (rf"^(/sys/class/{path}:).*", rf"\g<1>{value}")


def _meminfo(**rows: int) -> tuple[tuple[str, str], ...]:
    """Return edits of /proc/meminfo, in GiB."""
    return tuple(
        (rf"^(/proc/meminfo:{row}: +)\d+", rf"\g<1>{size << 20}") for row, size in rows.items()
    )


def _on(node: str, *edits: tuple[str, str]) -> tuple[Edit, ...]:
    return tuple((node, old, new) for old, new in edits)


def _field(interface: str, field: str, value: str) -> tuple[str, str]:
    """Return the edit of one field of an interface, in the JSON of `ip`."""
    return (rf'("ifname":"{interface}",[^{{}}]*?"{field}":)[^,]+', rf"\g<1>{value}")


def _unaddressed(interface: str, device: str) -> tuple[tuple[str, str], ...]:
    """Return the edits that take an interface its IPv4 address."""
    return (
        (rf'\{{"family":"inet","local":[^}}]*"label":"{interface}"[^}}]*\}},', ""),
        (rf"^/sys/class/infiniband/{device}/ports/1/(gids|gid_attrs/\w+)/[23]:.*\n", ""),
    )


def _unplugged(interface: str, device: str) -> tuple[tuple[str, str], ...]:
    """Return the edits that take an interface its link."""
    return (
        (
            rf'("ifname":"{interface}","flags":\[)"BROADCAST","MULTICAST","UP","LOWER_UP"',
            r'\g<1>"NO-CARRIER","BROADCAST","MULTICAST","UP"',
        ),
        (rf"^/sys/class/net/{interface}/speed:.*\n", ""),
        _sysfs(f"infiniband/{device}/ports/1/state", "1: DOWN"),
        _sysfs(f"infiniband/{device}/ports/1/phys_state", "3: Disabled"),
        _sysfs(f"infiniband/{device}/ports/1/rate", "40 Gb/sec (4X QDR)"),
    )


UNANSWERED = (r"^(ping \S+ \S+ \d+) 0 .*", r"\1 1 1 packets transmitted, 0 received")
BIG_UNANSWERED = (r"^(ping \S+ \S+ 9000) 0 .*", r"\1 1 1 packets transmitted, 0 received")
NO_RDMA = (r"^/(sys/class|dev)/infiniband/.*\n", "")
TEN_GIGABIT = (
    (r"^ping \S+ 192.168.177.(1.) 84", r"ping enP7s7 192.168.1.X\1 84"),
    (r"^ping \S+ 192.168.177.(1.) 9000", r"ping enP7s7 192.168.1.X\1 1500"),
    (r"^(port|way) 192.168.177.", r"\1 192.168.1.X"),
    (r'^(way .*"dev":)"[^"]*"', r'\1"enP7s7"'),
    (r"192.168.1.X1", "192.168.1.6"),
)
"""The attempts over the other network."""

LINKS = {
    "the 10 Gb/s port": Broken(
        edits=(
            *_files(("ETH_IF=.*", "ETH_IF=enP7s7"), (r"192.168.177.1(\d)", r"192.168.1.6\1")),
            *_each(*TEN_GIGABIT),
        ),
        found=("slow link-speed spark1", "slow link-speed spark2"),
    ),
    "a misspelt interface": Broken(
        edits=(("spark2.env", "ETH_IF=.*", "ETH_IF=enp1s0f1np0"),),
        found=("blocks interface spark2",),
    ),
    "the interface of the other port": Broken(
        edits=(("spark2.env", "ETH_IF=.*", "ETH_IF=enp1s0f0np0"),),
        found=("blocks address spark2",),
    ),
    "an address that is nowhere": Broken(
        edits=_on("spark2", *_unaddressed(ETH, "rocep1s0f1")),
        found=("blocks address spark2",),
    ),
    "a cable that is out": Broken(
        edits=_each(*_unplugged(ETH, "rocep1s0f1"), *_unplugged(TWIN, "roceP2p1s0f1"), UNANSWERED),
        found=("blocks cable spark1", "blocks cable spark2"),
    ),
    "half a link": Broken(
        edits=_on("spark2", *_unplugged(TWIN, "roceP2p1s0f1")),
        found=("slow twin-cable spark2",),
    ),
    "a half without an address": Broken(
        edits=_on("spark2", *_unaddressed(TWIN, "roceP2p1s0f1")),
        found=("slow twin-address spark2",),
    ),
    "100 Gb/s": Broken(
        edits=_each((r"^(/sys/class/net/\w+f1np1/speed):200000", r"\1:100000")),
        found=("slow link-speed spark1", "slow link-speed spark2"),
    ),
    "two PCIe lanes of four": Broken(
        edits=_on("spark1", _sysfs(r"net/enP2p1s0f\dnp\d/device/current_link_width", "2")),
        found=("slow pcie-width spark1",),
    ),
    "addresses that change": Broken(
        edits=(
            *_files(("192.168.177", "169.254.177")),
            *_each(("192.168.177", "169.254.177"), ("c0a8:b1", "a9fe:b1")),
        ),
        found=("note link-local spark1", "note link-local spark2"),
    ),
    "the way out over the cable": Broken(
        edits=(("spark2", '("dst":"default",.*?"dev":)"enP7s7"', rf'\1"{ETH}"'),),
        found=("note default-route spark2",),
    ),
}
RDMA = {
    "no RDMA device": Broken(
        edits=_on("spark2", NO_RDMA),
        found=("blocks rdma-none spark2",),
    ),
    "a misspelt device": Broken(
        edits=(("spark1.env", "IB_IF=.*", "IB_IF=rocep1s0f1,rocep2p1s0f1"),),
        found=("blocks rdma-names spark1",),
    ),
    "the devices of the other port": Broken(
        edits=(("spark1.env", "IB_IF=.*", "IB_IF=rocep1s0f0,roceP2p1s0f0"),),
        found=("blocks rdma-pair spark1",),
    ),
    "a port that is not active": Broken(
        edits=_on("spark1", _sysfs("infiniband/rocep1s0f1/ports/1/state", "2: INIT")),
        found=("blocks rdma-port spark1",),
    ),
    "no device files": Broken(
        edits=_on("spark2", (r"^/dev/infiniband/uverbs.*\n", "")),
        found=("blocks rdma-files spark2",),
    ),
    "sockets only": Broken(
        edits=_files(("IB_IF=.*", "IB_IF=")),
        found=("slow rdma-unused spark1", "slow rdma-unused spark2"),
    ),
    "one device of two": Broken(
        edits=_files(("IB_IF=.*", "IB_IF=rocep1s0f1")),
        found=("slow rdma-half spark1", "slow rdma-half spark2"),
    ),
    "the wrong GID row": Broken(
        edits=(_write("spark1.env", "NCCL_IB_GID_INDEX=5"),),
        found=("blocks gid-index spark1",),
    ),
    "a GID row of RoCE v1": Broken(
        edits=(_write("cluster.env", "NCCL_IB_GID_INDEX=2"),),
        found=("blocks gid-index spark1", "blocks gid-index spark2"),
    ),
    "memory that RDMA cannot register": Broken(
        edits=_on(
            "spark2",
            ("6.17.0-1031-nvidia", "7.0.0-1019-nvidia"),
            ("(CmaTotal: +)65536", r"\g<1>0"),
            ("(CmaFree: +)33792", r"\g<1>940604"),
        ),
        found=("blocks kernel-memory spark2",),
    ),
}
MACHINE = {
    "memory that others hold": Broken(
        edits=_on("spark1", *_meminfo(MemAvailable=40, MemFree=30)),
        found=("blocks memory spark1",),
    ),
    "a page cache that is full": Broken(
        edits=_on("spark1", *_meminfo(MemFree=3, Cached=109)),
        found=("note page-cache spark1",),
    ),
    "swap": Broken(
        edits=_on("spark2", *_meminfo(SwapTotal=16, SwapFree=16)),
        found=("note swap spark2",),
    ),
    "waiting for memory": Broken(
        edits=_on("spark2", ("^(/proc/pressure/memory:some .*)avg60=0.00", r"\1avg60=31.20")),
        found=("slow pressure spark2",),
    ),
    "clocks apart": Broken(
        edits=(("spark2", r"^1795470000\.27", "1795470075.27"),),
        found=("slow clock spark1, spark2",),
    ),
    "another kernel": Broken(
        edits=(("spark2", "6.17.0-1031-nvidia", "6.17.0-1014-nvidia"),),
        found=("slow kernel-same spark1, spark2",),
    ),
    "another driver": Broken(
        edits=(("spark2", "GB10, 580.173.02", "GB10, 580.142"),),
        found=("slow driver-same spark1, spark2",),
    ),
    "a driver that hangs": Broken(
        edits=_each(("GB10, 580.173.02", "GB10, 590.44.01")),
        found=("slow driver spark1", "slow driver spark2"),
    ),
    "a loopback address for the own name": Broken(
        edits=_on("spark1", ("^192.168.177.11( +[SDR])", r"127.0.1.1\1")),
        found=("note hostname spark1",),
    ),
    "a desktop": Broken(
        edits=_on("spark1", ("multi-user.target", "graphical.target")),
        found=("note desktop spark1",),
    ),
    "no earlyoom": Broken(
        edits=_on("spark1", ("^active$", "inactive")),
        found=("note early-oom spark1",),
    ),
    "shared memory that a logout removes": Broken(
        edits=(_write("cluster.env", "SHM_SIZE=host"), ("spark2", "^linger\n", "")),
        found=("note shared-memory-removal spark2",),
    ),
    "another GPU": Broken(
        edits=_each(("NVIDIA GB10", "NVIDIA Thor")),
        found=("note not-a-spark spark1", "note not-a-spark spark2"),
    ),
}
CONTAINERS = {
    "no engine": Broken(
        edits=_on(
            "spark2",
            _section("engine", "Cannot connect to the Docker daemon at unix:///run/docker.sock.\n"),
            _section("image", "[]\n"),
            _section("engine_disk", ""),
        ),
        found=("blocks docker spark2",),
    ),
    "no GPU": Broken(
        edits=_on("spark2", _section("gpus", "No devices were found\n")),
        found=("blocks gpu spark2",),
    ),
    "no way of GPUs into containers": Broken(
        edits=_on(
            "spark1",
            ('"nvidia":{[^}]*},', ""),
            (r',"DiscoveredDevices":\[[^]]*\]', ""),
            ("^/var/run/cdi/nvidia.yaml", "/var/run/cdi/*"),
            _section("toolkit", ""),
        ),
        found=("blocks gpu-docker spark1",),
    ),
    "an old toolkit": Broken(
        edits=_on("spark1", ("CLI version 1.19.0", "CLI version 1.17.4")),
        found=("note toolkit spark1",),
    ),
    "somebody on the GPU": Broken(
        edits=_on("spark1", _section("clients", "3107, python3, 4096\n")),
        found=("slow gpu-busy spark1",),
    ),
    "a clock that is stuck": Broken(
        where="switch",
        edits=_on("spark3", ("GB10, 580.173.02, (.*), 2405", r"GB10, 580.173.02, \1, 702")),
        found=("slow gpu-clock spark3",),
    ),
    "no image": Broken(
        edits=_on("spark2", _section("image", "[]\n")),
        found=("blocks image spark2",),
    ),
    "an image of yesterday": Broken(
        edits=_on("spark2", ("sha256:e5e646", "sha256:0011aa")),
        found=("blocks same-image spark2",),
    ),
    "a disk that is full": Broken(
        edits=_on("spark1", ("^(/dev/nvme0n1p2 +[0-9]+ +)[0-9]+ +[0-9]+", r"\g<1>3843549616 1000000")),
        found=("blocks disk spark1",),
    ),
    "no room for models": Broken(
        edits=_on(
            "spark1",
            _section(
                "model_disk",
                "/data/models\nFilesystem 1024-blocks Used Available Capacity Mounted on\n"
                "/dev/sda1 976762584 941762584 10000000 99% /data\n",
            ),
        ),
        found=("note model-disk spark1",),
    ),
    "a model on one node": Broken(
        edits=_on("spark2", _section("models", "")),
        found=("note models spark2",),
    ),
    "a port that is taken": Broken(
        edits=_on("spark1", ("^(LISTEN .*)0.0.0.0:22( .*)", r"\g<0>\n\g<1>0.0.0.0:6379\2")),
        found=("blocks ports spark1",),
    ),
}
BETWEEN = {
    "swapped addresses": Broken(
        edits=(
            *_each(("192.168.177.11", "192.168.177.1X"), ("192.168.177.12", "192.168.177.11")),
            *_each(("192.168.177.1X", "192.168.177.12"), ("c0a8:b10b", "c0a8:b10X")),
            *_each(("c0a8:b10c", "c0a8:b10b"), ("c0a8:b10X", "c0a8:b10c")),
        ),
        found=("blocks twice spark1, spark2",),
    ),
    "no answer": Broken(
        edits=_each(UNANSWERED),
        found=("blocks reach spark1, spark2",),
    ),
    "another MTU": Broken(
        edits=(
            *_on("spark1", BIG_UNANSWERED),
            *_on("spark2", _field(ETH, "mtu", "1500"), (r"^(ping \S+ \S+) 9000 ", r"\1 1500 ")),
        ),
        found=("blocks mtu spark1, spark2",),
    ),
    "a switch with another MTU": Broken(
        edits=_each(BIG_UNANSWERED),
        found=("blocks mtu spark1, spark2",),
    ),
    "a way around": Broken(
        edits=_on("spark1", (r'^(way .*"dev":)"[^"]*"', r'\1"enP7s7"')),
        found=("blocks route spark1",),
    ),
    "a firewall of the head": Broken(
        edits=(
            *_on("spark1", ("^ENABLED=no", "ENABLED=yes")),
            *_on("spark2", (r"^(port \S+ 6379) 1 .*", r"\1 124 ")),
        ),
        found=("blocks head-port spark1, spark2",),
    ),
    "a firewall of a worker": Broken(
        edits=(
            *_on("spark2", ("^ENABLED=no", "ENABLED=yes")),
            *_on("spark1", (r"^(port \S+ 10002) 1 .*", r"\1 124 ")),
        ),
        found=("blocks worker-port spark1, spark2",),
    ),
    "a variable of a search for a fault": Broken(
        edits=(_write("cluster.env", "NCCL_IB_DISABLE=1"),),
        found=("slow debugging spark1, spark2",),
    ),
    "NCCL's mark in gloo's variable": Broken(
        edits=(_write("cluster.env", "GLOO_SOCKET_IFNAME==enp1s0f1np1"),),
        found=("blocks gloo spark1, spark2",),
    ),
    "one name for two interfaces": Broken(
        where="asymmetric",
        edits=(_write("cluster.env", "GLOO_SOCKET_IFNAME=enp1s0f2np2"),),
        found=("blocks gloo spark1, spark2",),
    ),
}
ALL = LINKS | RDMA | MACHINE | CONTAINERS | BETWEEN
