"""Stores of jobs, executions and messages."""
