"""The command lines of Ray and vLLM."""
