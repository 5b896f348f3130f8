"""The present state of a cluster."""
