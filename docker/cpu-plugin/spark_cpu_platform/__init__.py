"""A vLLM platform plug-in with which CPU nodes replace GPU nodes in a Ray cluster."""


def register() -> str:
    """Return the name of the platform class, which vLLM imports when it detects its platform."""
    return "spark_cpu_platform.platform.SparkCpuPlatform"
