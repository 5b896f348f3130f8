"""The CPU communicator, safe on more than one host."""

import socket

import torch
from vllm.distributed.device_communicators.cpu_communicator import CpuCommunicator


class HostAwareCommunicator(CpuCommunicator):
    """Uses shared memory between ranks of one host, and gloo over the network otherwise."""

    def _all_group_ranks_share_shm_group_name(self) -> bool:
        """Compare host names first: equal group names do not mean one common /dev/shm."""
        hosts = [""] * self.world_size
        torch.distributed.all_gather_object(hosts, socket.gethostname(), group=self.device_group)
        return len(set(hosts)) == 1 and super()._all_group_ranks_share_shm_group_name()
