"""The process runtime: nodes as namespaces of this machine."""
