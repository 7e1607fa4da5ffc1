"""Searches for jobs and executions: the grammar of queries, and the meaning of terms.

A store narrows by its indexes, and calls `matching` if only the whole record can decide.
"""

from agentoolkit.system.scheduler.search.grammar import (
    KEYS,
    Bound,
    Search,
    Subject,
    Term,
    TermValue,
    check_narrows,
    read_search,
    status_value,
    status_word,
)

__all__ = ["KEYS", "Bound", "Search", "Subject", "Term", "TermValue", "check_narrows", "read_search", "status_value", "status_word"]
