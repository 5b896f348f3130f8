"""The complete facts of two captured machines: a Spark and a virtual machine."""

from ipaddress import IPv4Address, IPv4Interface, IPv6Address

from cluster.facts.docker import Docker
from cluster.facts.facts import Facts
from cluster.facts.firewall import Firewall, Listener
from cluster.facts.gpu import Gpu, Gpus
from cluster.facts.links import Interface, Links, Route
from cluster.facts.machine import MachineFacts, Memory
from cluster.facts.rdma import Device, Gid, Rdma
from cluster.facts.reach import PeerRoute, Ping, PortAttempt, Reach
from cluster.facts.storage import Disk, Model
from tests.situations import MODEL

LAYERS = (
    "sha256:3ef3bd6c80bd7c673acc76fde924749be5cb8c7553fd17c2c3979f37a754f75b",
    "sha256:54db133a109fd7f0d6eb72da16df1af078f2bf86e917ae3c780a13d811d6aa6f",
    "sha256:0c6eea24ed5f3274df121af2d789e43839b3bcfb328db8deb86b46896d57be67",
    "sha256:ffcc470fc39ff18296430efbde2a2d832944bb84220e235a99f76742d6bccbd4",
    "sha256:9a3f33bc2c218fc2b637b390cf4d40a674b4700471306f655e30f2242cbbce20",
    "sha256:e93800f10474d9f8496ddcd4003b9af454f8d985ca552d735b48d1c4e81cbed0",
    "sha256:a443ee1068182e9825dd2160ff4dc535ed28bb51bd5ce00f66dd4456f6707dca",
    "sha256:392dfd28f10a6128a570d1e52d69b9ae836f09f2623f2ab0517cec268c8c3675",
    "sha256:54c360ac3a1640eeccad221f1a871fb242dc52955910919d1ae0f2656f165a08",
    "sha256:bf99380bee60a4c49f943aec9feda336f6601d576a79e97b1c65dee7616367f9",
    "sha256:e5e646cffffbc2f20ff0f9d03d1646e916a65c652388b1e03827da213fa19daf",
)
KIB = 1 << 10
ANY = "0.0.0.0"  # noqa: S104 (as `ss` prints it)
ROOT = "root=UUID=d6e85e6e-5d0e-4b7c-9f1a-ff96ef6d0aac ro quiet splash init_on_alloc=0"
MORE = "iommu.passthrough=0 pci=pcie_bus_safe crashkernel=1G-:0M"
FREE, TOTAL = 3_331_500_320 * KIB, 3_844_549_616 * KIB
PEER = IPv4Address("192.168.177.12")


def _at(*addresses: str) -> tuple[IPv4Interface, ...]:
    return tuple(map(IPv4Interface, addresses))


def _twin(name: str, last: str, pci: str, address: str = "") -> Interface:
    """Return a twin of a port of `spark1`, with a cable if it has an address."""
    return Interface(
        name=name,
        mac=f"4c:bb:47:2c:1b:{last}",
        addresses=_at(address) if address else (),
        ipv6=(IPv6Address(f"fe80::4ebb:47ff:fe2c:1b{last}"),) if address else (),
        mtu=9000 if address else 1500,
        carrier=bool(address),
        speed=200_000 if address else None,
        pci=pci,
        pcie_width=4,
        pcie_speed="32.0 GT/s PCIe",
    )


def _device(name: str, last: str, pci: str, address: str = "") -> Device:
    """Return the RDMA device of that twin; `address` is as in a GID."""
    netdev = f"{name.replace('roce', 'en')}np{name[-1]}"
    link_local = f"fe80:0000:0000:0000:4ebb:47ff:fe2c:1b{last}"
    mapped = [f"0000:0000:0000:0000:0000:ffff:{address}"] * 2 if address else []
    return Device(
        name=name,
        netdev=netdev,
        pci=pci,
        state="ACTIVE" if address else "DOWN",
        link_layer="Ethernet",
        rate=200 if address else 40,
        gids=tuple(
            Gid(index=row, value=value, kind=("IB/RoCE v1", "RoCE v2")[row % 2], netdev=netdev)
            for row, value in enumerate([link_local, link_local, *mapped])
        ),
    )


SPARK = Facts(
    machine=MachineFacts(
        hostname="spark-1b3e",
        user="spark",
        system="NVIDIA DGX OS 7.5.0",
        kernel="6.17.0-1031-nvidia",
        architecture="aarch64",
        command_line=f"BOOT_IMAGE=/boot/vmlinuz-6.17.0-1031-nvidia {ROOT} {MORE}"
        " initcall_blacklist=tegra234_cbb_init vt.handoff=7",
        memory=Memory(
            total=127_600_748 * KIB,
            available=118_566_368 * KIB,
            free=116_183_924 * KIB,
            cached=2_870_144 * KIB,
            swap_total=0,
            swap_free=0,
            cma_total=65_536 * KIB,
            cma_free=33_792 * KIB,
        ),
        pressure=0.0,
        memlock=15_950_093 * KIB,
        resolved=(IPv4Address("192.168.177.11"),),
        remove_ipc=True,
        linger=True,
        target="multi-user.target",
        early_oom=True,
        clock=1795470000.26,
    ),
    links=Links(
        interfaces=(
            Interface(
                name="enP7s7",
                mac="4c:bb:47:2c:1b:30",
                addresses=_at("192.168.1.61/24"),
                ipv6=(IPv6Address("fe80::ee51:95c5:bdf1:4759"),),
                speed=10_000,
                pci="0007:01:00.0",
                pcie_width=1,
                pcie_speed="16.0 GT/s PCIe",
            ),
            _twin("enp1s0f0np0", "31", "0000:01:00.0"),
            _twin("enp1s0f1np1", "32", "0000:01:00.1", "192.168.177.11/24"),
            _twin("enP2p1s0f0np0", "35", "0002:01:00.0"),
            _twin("enP2p1s0f1np1", "36", "0002:01:00.1", "192.168.178.11/24"),
            Interface(
                name="wlP9s9",
                mac="f4:4e:e3:2c:1b:40",
                carrier=False,
                pci="0009:01:00.0",
                pcie_width=1,
                pcie_speed="8.0 GT/s PCIe",
            ),
            Interface(
                name="docker0",
                kind="bridge",
                mac="02:42:d6:e8:5e:6e",
                addresses=_at("172.17.0.1/16"),
                carrier=False,
            ),
        ),
        routes=(
            Route(destination="default", device="enP7s7", metric=100),
            Route(destination="192.168.1.0/24", device="enP7s7", metric=100),
            Route(destination="192.168.177.0/24", device="enp1s0f1np1"),
            Route(destination="192.168.178.0/24", device="enP2p1s0f1np1"),
            Route(destination="172.17.0.0/16", device="docker0"),
        ),
    ),
    rdma=Rdma(
        devices=(
            _device("roceP2p1s0f0", "35", "0002:01:00.0"),
            _device("roceP2p1s0f1", "36", "0002:01:00.1", "c0a8:b20b"),
            _device("rocep1s0f0", "31", "0000:01:00.0"),
            _device("rocep1s0f1", "32", "0000:01:00.1", "c0a8:b10b"),
        ),
        device_files=("rdma_cm", "uverbs0", "uverbs1", "uverbs2", "uverbs3"),
    ),
    gpus=Gpus(gpus=(Gpu(name="NVIDIA GB10", driver="580.173.02", clock=208),)),
    firewall=Firewall(ufw=False),
    engine_disk=Disk(path="/var/lib/docker", free=FREE, total=TOTAL),
    model_disk=Disk(path="/srv/spark/.cache/huggingface", free=FREE, total=TOTAL),
    models=(Model(name=MODEL, size=139_294_008 * KIB),),
    listeners=(
        Listener(address=ANY, port=22),
        Listener(address="[::]", port=22),
        Listener(address="127.0.0.53%lo", port=53),
        Listener(address="127.0.0.54", port=53),
        Listener(address="127.0.0.1", port=631),
    ),
    reach=Reach(
        pings=(
            Ping(interface="enp1s0f1np1", peer=PEER, size=84, answered=True),
            Ping(interface="enp1s0f1np1", peer=PEER, size=9000, answered=True),
        ),
        ports=(PortAttempt(peer=PEER, port=10002, answer="refused"),),
        routes=(PeerRoute(peer=PEER, device="enp1s0f1np1"),),
    ),
    lead=0.0,
)
"""What is said of `spark1` of one-cable, but for Docker."""
DOCKER = Docker(
    version="29.2.1",
    architecture="arm64",
    store="containerd",
    root="/var/lib/docker",
    runtimes=("io.containerd.runc.v2", "nvidia", "runc"),
    cdi=(
        "nvidia.com/gpu=0",
        "nvidia.com/gpu=GPU-d6e85e6e-1c2d-4e3f-8a9b-f6d0aaceacfe",
        "nvidia.com/gpu=all",
    ),
    toolkit="1.19.0",
)
"""Its Docker, but for the image."""
VM = Facts(
    machine=MachineFacts(
        hostname="vm",
        user="root",
        system="Debian GNU/Linux 12 (bookworm)",
        kernel="6.1.0-40-amd64",
        architecture="x86_64",
        command_line="BOOT_IMAGE=/boot/vmlinuz-6.1.0-40-amd64 root=/dev/vda1 ro quiet"
        " console=ttyS0",
        memory=Memory(
            total=24_684_096 * KIB,
            available=23_850_712 * KIB,
            free=21_371_424 * KIB,
            cached=1_959_980 * KIB,
            swap_total=0,
            swap_free=0,
        ),
        pressure=0.01,
        memlock=8 << 20,
        resolved=(IPv4Address("127.0.0.1"),),
        clock=1795472705.491687,
    ),
    links=Links(
        interfaces=(
            Interface(
                name="ifb0", kind="ifb", mac="a6:46:76:1e:4e:de", enabled=False, carrier=False
            ),
            Interface(
                name="ifb1", kind="ifb", mac="16:61:75:9a:e5:55", enabled=False, carrier=False
            ),
            Interface(
                name="eth0",
                mac="02:fc:00:00:00:01",
                addresses=_at("192.0.2.2/24"),
                ipv6=(IPv6Address("fd00::2"), IPv6Address("fe80::fc:ff:fe00:1")),
                mtu=1400,
            ),
        ),
        routes=(
            Route(destination="default", device="eth0"),
            Route(destination="192.0.2.0/24", device="eth0"),
        ),
    ),
    gpus=Gpus(error="nvidia-smi: not found"),
    docker=Docker(
        error="Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
        " Is the docker daemon running?"
    ),
    model_disk=Disk(
        path="/root/.cache/huggingface", free=64_222_996 * KIB, total=264_212_084 * KIB
    ),
    listeners=(Listener(address=ANY, port=22),),
    lead=0.0,
)
