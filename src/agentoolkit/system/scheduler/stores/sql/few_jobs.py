"""Which jobs a search is about, where their labels leave few: these are then read by their ids, and nothing else is."""

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
"""Jobs that are read, or whose whole histories are, rather than everything that was made or is due since."""
LABEL = {"sqlite": "value", "postgres": 'value COLLATE "C"'}
"""A label as the index on labels has it."""


def few_jobs(session: Session, search: Search) -> list[str] | None:
    """Return the ids of the jobs that the labels leave; None: no label is asked for, or each of them is that of many jobs."""
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
    """Return what is left to be asked of the jobs that the labels leave."""
    return replace(search, owner=None, terms=tuple(term for term in search.terms if not _asks_for_label(term)))


def _asks_for_label(term: Term) -> bool:
    return term.key in LABELS and not term.is_negated


def _labelled(session: Session, kind: str, texts: Iterable[str], most: int) -> list[str] | None:
    """Return the jobs with a label that begins as one of the texts does, up to its first wildcard; None: they may be many."""
    found: set[str] = set()
    for text in texts:
        rows = _beginning(session, kind, text, 2 * most + 1)  # a job's id and name may both begin so
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
