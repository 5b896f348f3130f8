"""How a vLLM + Ray cluster is described, planned and run; `machine/` alone touches the world."""
