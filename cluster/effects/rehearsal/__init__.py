"""The rehearsal's environment made."""
