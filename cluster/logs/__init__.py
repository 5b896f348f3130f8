"""The logs of Ray and vLLM: phases, failures, and their explanations."""
