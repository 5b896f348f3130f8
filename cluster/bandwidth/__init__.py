"""`inv nccl`: the bandwidth between the nodes, and the transport that NCCL uses."""
