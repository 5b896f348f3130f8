"""The server's life."""
