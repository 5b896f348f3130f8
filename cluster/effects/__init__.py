"""The one room that touches files, processes, sockets, the clock and the terminal."""
