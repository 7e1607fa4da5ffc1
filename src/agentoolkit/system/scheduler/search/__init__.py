"""Jobs and executions that fit a query: the grammar of every door, and what a term means.

A store narrows by its indexes, and asks `matching` where only the whole record can tell.
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
    status_word,
)

__all__ = ["KEYS", "Bound", "Search", "Subject", "Term", "TermValue", "check_narrows", "read_search", "status_word"]
