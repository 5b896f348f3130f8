"""The CPU communicator, for ranks on several hosts."""

import socket

import torch
from vllm.distributed.device_communicators.cpu_communicator import CpuCommunicator


class HostAwareCommunicator(CpuCommunicator):
    """Uses shared memory between ranks of one host, otherwise gloo over the network."""

    def _all_group_ranks_share_shm_group_name(self) -> bool:
        """Compare host names first: equal group names do not prove a common /dev/shm."""
        hosts = [""] * self.world_size
        torch.distributed.all_gather_object(hosts, socket.gethostname(), group=self.device_group)
        return len(set(hosts)) == 1 and super()._all_group_ranks_share_shm_group_name()
