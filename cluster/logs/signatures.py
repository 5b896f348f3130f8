"""All failure signatures, in the order in which a line is compared with them."""

from cluster.logs.memory_signatures import MEMORY
from cluster.logs.model_signatures import MACHINE, MODEL
from cluster.logs.network_signatures import NETWORK
from cluster.logs.ray_signatures import RAY
from cluster.logs.signature import Signature

SIGNATURES: tuple[Signature, ...] = (*RAY, *NETWORK, *MEMORY, *MODEL, *MACHINE)
"""The first one that fits counts."""
