"""The CPU platform, for scheduling by Ray."""

from typing import ClassVar

from vllm.platforms.cpu import CpuPlatform


class SparkCpuPlatform(CpuPlatform):
    """vLLM's CPU platform with the resource name that its Ray executor needs to place workers."""

    # vLLM rejects Ray on a platform without a resource name. Nodes declare the resource
    # with `ray start --num-gpus 1`, the same flag as on a real GPU node.
    ray_device_key = "GPU"
    # No GPU has a visibility that Ray could change.
    ray_noset_device_env_vars: ClassVar[list[str]] = []

    @classmethod
    def get_device_communicator_cls(cls) -> str:
        """Return the name of the communicator that expects no shared memory between hosts."""
        return "spark_cpu_platform.communicator.HostAwareCommunicator"
