"""A vLLM platform plug-in that lets CPU nodes stand in for GPU nodes in a Ray cluster."""


def register() -> str:
    """Name the platform class; vLLM imports it when it first asks which platform it runs on."""
    return "spark_cpu_platform.platform.SparkCpuPlatform"
