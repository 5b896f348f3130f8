"""`run-cluster-node`, in the container."""
