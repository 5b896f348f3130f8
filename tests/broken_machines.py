"""One thing broken on a machine or in its containers, and its only findings."""

from tests.edits import Broken, each, line, meminfo, on, section

MACHINE = {
    "memory that others hold": Broken(
        edits=on("spark1", *meminfo(MemAvailable=40, MemFree=30)),
        findings=("blocks memory spark1",),
    ),
    "a page cache that is full": Broken(
        edits=on("spark1", *meminfo(MemFree=3, Cached=109)),
        findings=("note page-cache spark1",),
    ),
    "an answer of another shape": Broken(
        edits=on("spark2", section("routes", "[1]\n")),
        findings=("note unreadable spark2",),
    ),
    "swap": Broken(
        edits=on("spark2", *meminfo(SwapTotal=16, SwapFree=16)),
        findings=("note swap spark2",),
    ),
    "waiting for memory": Broken(
        edits=on("spark2", ("^(/proc/pressure/memory:some .*)avg60=0.00", r"\1avg60=31.20")),
        findings=("slow pressure spark2",),
    ),
    "clocks apart": Broken(
        edits=(("spark2", r"^1795470000\.27", "1795470075.27"),),
        findings=("slow clock spark1, spark2",),
    ),
    "another kernel": Broken(
        edits=(("spark2", "6.17.0-1031-nvidia", "6.17.0-1014-nvidia"),),
        findings=("slow kernel-same spark1, spark2",),
    ),
    "another driver": Broken(
        edits=(("spark2", "GB10, 580.173.02", "GB10, 580.142"),),
        findings=("slow driver-same spark1, spark2",),
    ),
    "a driver that hangs": Broken(
        edits=each(("GB10, 580.173.02", "GB10, 590.44.01")),
        findings=("slow driver spark1", "slow driver spark2"),
    ),
    "a loopback address for the own name": Broken(
        edits=on("spark1", ("^192.168.177.11( +[SDR])", r"127.0.1.1\1")),
        findings=("note hostname spark1",),
    ),
    "a desktop": Broken(
        edits=on("spark1", ("multi-user.target", "graphical.target")),
        findings=("note desktop spark1",),
    ),
    "no earlyoom": Broken(
        edits=on("spark1", ("^active$", "inactive")),
        findings=("note early-oom spark1",),
    ),
    "shared memory that a logout removes": Broken(
        edits=(line("cluster.env", "SHM_SIZE=host"), ("spark2", "^linger\n", "")),
        findings=("note shared-memory-removal spark2",),
    ),
    "another GPU": Broken(
        edits=each(("NVIDIA GB10", "NVIDIA Thor")),
        findings=("note not-a-spark spark1", "note not-a-spark spark2"),
    ),
}
CONTAINERS = {
    "no engine": Broken(
        edits=on(
            "spark2",
            section("engine", "Cannot connect to the Docker daemon at unix:///run/docker.sock.\n"),
            section("image", "[]\n"),
            section("engine_disk", ""),
        ),
        findings=("blocks docker spark2",),
    ),
    "no GPU": Broken(
        edits=on("spark2", section("gpus", "No devices were found\n")),
        findings=("blocks gpu spark2",),
    ),
    "no way of GPUs into containers": Broken(
        edits=on(
            "spark1",
            ('"nvidia":{[^}]*},', ""),
            (r',"DiscoveredDevices":\[[^]]*\]', ""),
            ("^/var/run/cdi/nvidia.yaml", "/var/run/cdi/*"),
            section("toolkit", ""),
        ),
        findings=("blocks gpu-docker spark1",),
    ),
    "an old toolkit": Broken(
        edits=on("spark1", ("CLI version 1.19.0", "CLI version 1.17.4")),
        findings=("note toolkit spark1",),
    ),
    "somebody on the GPU": Broken(
        edits=on(
            "spark1",
            section("gpus", "NVIDIA GB10, 580.173.02, [N/A], 2405\n"),
            section("clients", "3107, python3, 4096\n"),
        ),
        findings=("slow gpu-busy spark1",),
    ),
    "a clock that is stuck": Broken(
        situation="switch",
        edits=on("spark3", ("GB10, 580.173.02, (.*), 2405", r"GB10, 580.173.02, \1, 702")),
        findings=("slow gpu-clock spark3",),
    ),
    "no image": Broken(
        edits=on("spark2", section("image", "[]\n")),
        findings=("blocks image spark2",),
    ),
    "an image of yesterday": Broken(
        edits=on("spark2", ("sha256:e5e646", "sha256:0011aa")),
        findings=("blocks same-image spark2",),
    ),
    "a disk that is full": Broken(
        edits=on(
            "spark1", ("^(/dev/nvme0n1p2 +[0-9]+ +)[0-9]+ +[0-9]+", r"\g<1>3843549616 1000000")
        ),
        findings=("blocks disk spark1",),
    ),
    "no room for models": Broken(
        edits=on(
            "spark1",
            section(
                "model_disk",
                "/data/models\nFilesystem 1024-blocks Used Available Capacity Mounted on\n"
                "/dev/sda1 976762584 941762584 10000000 99% /data\n",
            ),
        ),
        findings=("note model-disk spark1",),
    ),
    "a model on one node": Broken(
        edits=on("spark2", section("models", "")),
        findings=("note models spark2",),
    ),
    "a port that is taken": Broken(
        edits=on("spark1", ("^(LISTEN .*)0.0.0.0:22( .*)", r"\g<0>\n\g<1>0.0.0.0:6379\2")),
        findings=("blocks ports spark1",),
    ),
}
