"""Ours beside its peers, in one process and one run, so that only ratios are read."""
