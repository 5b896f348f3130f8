"""Engines and containers."""
