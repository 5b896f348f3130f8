"""What the logs of Ray and vLLM say."""
