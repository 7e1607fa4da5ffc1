"""The injector, and AgenTools as pydantic-ai agents."""
