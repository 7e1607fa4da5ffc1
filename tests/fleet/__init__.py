"""Schedulers and workers in processes of their own, on real servers that break."""
