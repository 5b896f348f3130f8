"""How a vLLM + Ray cluster is described, planned and run: pure rooms around one room of effects."""
