"""Executors: they decide when and where attempts run."""
