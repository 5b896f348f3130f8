"""Asks machines for facts, and shows what they mean."""
