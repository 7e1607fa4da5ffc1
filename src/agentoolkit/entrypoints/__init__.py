"""The doors. Each turns its own dialect into calls of ``injector.run``."""
