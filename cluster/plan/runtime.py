"""The seam between what should run and how: a runtime turns run specs into steps."""

from typing import Protocol

from cluster.commands.run_spec import RunSpec, Service
from cluster.node import Cluster, Node
from cluster.plan.steps import AnyHandle, AnyStart, Ask, Await, Inside, Plan, Step
from cluster.words import Environment, Word


class Runtime(Protocol):
    """Pure: every method returns steps, and other modules perform them."""

    @property
    def ray_token(self) -> str:
        """Path of Ray's authentication token, inside a node."""

    @property
    def api_key(self) -> str:
        """Path of the server's generated API key, on the machine that starts the server."""

    @property
    def ray_session(self) -> str:
        """Ray's folder for sockets and logs inside a node; empty for Ray's own default."""

    @property
    def states_gpus(self) -> bool:
        """Whether Ray must be told the number of GPUs because it cannot count them."""

    @property
    def has_dashboard(self) -> bool:
        """Whether Ray's dashboard is installed where Ray is."""

    @property
    def probe(self) -> tuple[str, ...]:
        """The command that answers questions inside a node."""

    @property
    def bandwidth(self) -> tuple[str, ...]:
        """The command that is one rank of a measurement inside a node."""

    def prepare(self, cluster: Cluster, nodes: tuple[Node, ...]) -> Plan:
        """Make what the services of these nodes need; does nothing where it is there."""

    def service(self, spec: RunSpec, title: str, proof: Await | None = None) -> AnyStart:
        """Start a run spec; one that runs but fails the proof is started anew."""

    def admit(self, starts: tuple[AnyStart, ...]) -> Plan:
        """Check that nothing stands in the way of starting these, before any of them is."""

    def stop(self, node: Node, service: Service, seconds: float) -> Step:
        """Ask a service of a node to end, and make it end when the seconds are over."""

    def beforehand(self, cluster: Cluster, node: Node, argv: tuple[str, ...]) -> Ask:
        """Run a command to its end on a node whose Ray may not run yet."""

    def inside(
        self, cluster: Cluster, node: Node, argv: tuple[str, ...], extra: Environment = ()
    ) -> Inside:
        """Run a command to its end beside a node's Ray, with the node's environment and `extra`."""

    def visit(self, node: Node) -> tuple[Word, ...]:
        """Return what a command on this machine needs in front to reach the node's address."""

    def trace(self, node: str, service: Service) -> AnyHandle:
        """Find a service of a node again."""

    def release(self, nodes: tuple[Node, ...]) -> Plan:
        """Remove these nodes and what they left."""

    def end(self) -> Plan:
        """Remove what the cluster's nodes shared."""
