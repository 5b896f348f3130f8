"""What is done in which order, how that reads as shell text, and what is asked meanwhile."""
