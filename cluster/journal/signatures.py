"""All failure signatures, in the order in which a line is compared with them."""

from cluster.journal.memory_signatures import MEMORY
from cluster.journal.model_signatures import MACHINE, MODEL
from cluster.journal.network_signatures import NETWORK
from cluster.journal.ray_signatures import RAY
from cluster.journal.signature import Signature

SIGNATURES: tuple[Signature, ...] = (*RAY, *NETWORK, *MEMORY, *MODEL, *MACHINE)
"""The first one that fits counts."""
