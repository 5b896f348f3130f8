"""How fast the nodes are together, and which way NCCL really takes."""
