"""What must be so on a node before anything starts there."""
