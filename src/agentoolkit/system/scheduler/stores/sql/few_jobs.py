"""Narrows a search to a few jobs by their labels, so that only these jobs are read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from agentoolkit.database.prefixes import after_prefix
from agentoolkit.database.session import Session
from agentoolkit.system.scheduler.search import Search, Subject, Term
from agentoolkit.system.scheduler.search.matching import MAX_LABEL
from agentoolkit.system.scheduler.stores.sql.claims import EACH
from agentoolkit.system.scheduler.stores.sql.conditions import LABELS, Values, label_conditions

FEW_JOBS: Mapping[Subject, int] = {"jobs": 1_000, "executions": 100}
"""Up to this number, the jobs or their whole histories are read instead of walking the table in order."""
LABEL = {"sqlite": "value", "postgres": 'value COLLATE "C"'}
"""A label, in the form of the index on labels."""


def few_jobs(session: Session, search: Search) -> list[str] | None:
    """Return the ids of the jobs with the searched labels; None if there is no label term, or each label has many jobs."""
    labels = [(term.key, [text[:MAX_LABEL] for text in term.texts]) for term in search.terms if _asks_for_label(term)]
    if search.owner is not None:
        labels.append(("owned", [search.owner]))
    if not labels:
        return None
    most = FEW_JOBS[search.subject]
    candidates = next((ids for kind, texts in labels if (ids := _labelled(session, kind, texts, most)) is not None), None)
    if candidates is None:
        return None
    values = Values(session.dialect, "agentool_jobs")
    where = " AND ".join([f"job_id IN ({EACH[session.dialect]})", *label_conditions(search, values)])
    rows = session.rows(f"SELECT job_id FROM agentool_jobs WHERE {where}", {**values.parameters, "ids": json.dumps(candidates)})  # noqa: S608
    named = search.only("job") if len(labels) == 1 else None  # an execution may have outlived its job, whose labels are gone
    return sorted({job_id for (job_id,) in rows} | {value for value in (named.values if named else ()) if isinstance(value, str)})


def without_labels(search: Search) -> Search:
    """Return the search without its label terms and owner."""
    return replace(search, owner=None, terms=tuple(term for term in search.terms if not _asks_for_label(term)))


def _asks_for_label(term: Term) -> bool:
    return term.key in LABELS and not term.is_negated


def _labelled(session: Session, kind: str, texts: Iterable[str], most: int) -> list[str] | None:
    """Return the jobs with a label that begins with one of the texts, each up to its first wildcard; None if there are many."""
    found: set[str] = set()
    for text in texts:
        rows = _beginning(session, kind, text, 2 * most + 1)  # twice, because a job's id and name may both match
        if rows is None:
            return None
        found.update(rows)
    return sorted(found) if len(found) <= most else None


def _beginning(session: Session, kind: str, text: str, most: int) -> Sequence[str] | None:
    beginning = re.split(r"[*?]", text, maxsplit=1)[0] if kind != "owned" else text
    end = after_prefix(beginning)
    if end is None:
        return None
    value = LABEL[session.dialect]
    asked = {"kind": kind, "text": beginning, "end": end, "most": most}
    condition = f"{value} = :text" if beginning == text else f"{value} >= :text AND {value} < :end"
    rows = session.rows(f"SELECT job_id FROM agentool_job_labels WHERE kind = :kind AND {condition} LIMIT :most", asked)  # noqa: S608
    return [job_id for (job_id,) in rows] if len(rows) < most else None
