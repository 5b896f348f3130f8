"""What `inv` starts: the verbs as a program, called by the name that is its first word."""

import sys

from cluster.machine.program import main
from tasks import ns

main(ns, sys.argv[1], sys.argv[2:])
