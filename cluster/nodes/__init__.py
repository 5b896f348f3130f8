"""How nodes run: as containers on their machines, or as namespaces of this one."""
