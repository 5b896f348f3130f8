"""The only room that touches the world: hosts, engines, processes, files, clock, terminal."""
