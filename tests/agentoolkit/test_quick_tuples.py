"""Named tuples that are made without names have all their fields: nothing else would say so before one of them is asked for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import agentoolkit
from agentoolkit.quick_tuples import maker_of
from agentoolkit.system.scheduler.jobs import JobState

FIELDS = {
    node.name: sum(isinstance(field, ast.AnnAssign) for field in node.body)
    for path in Path(agentoolkit.__file__).parent.rglob("*.py")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.ClassDef) and any(isinstance(base, ast.Name) and base.id == "NamedTuple" for base in node.bases)
}


def parts(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]


def makers(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the names that makers have in a file, each with the kind that it makes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for name, value in zip(parts(node.targets[0]), parts(node.value), strict=False):
                if isinstance(value, ast.Call) and ast.unparse(value.func) == "maker_of":
                    yield ast.unparse(name), ast.unparse(value.args[0])


def calls() -> Iterator[tuple[str, str, int]]:
    """Yield each call of a maker with a tuple that is written out: its place, its kind, and how many fields it has."""
    for path in Path(agentoolkit.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        made = dict(makers(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in made and isinstance(node.args[0], ast.Tuple):
                fields = node.args[0].elts
                if not any(isinstance(field, ast.Starred) for field in fields):
                    yield f"{path.name}:{node.lineno}", made[ast.unparse(node.func)], len(fields)


def test_each_is_made_of_all_its_fields():
    """Wherever one is written out it has as many fields as its kind."""
    found = list(calls())
    assert len(found) > 5
    assert [call for call in found if call[2] != FIELDS[call[1]]] == []


def test_it_is_as_one_that_was_made_by_names():
    """What is made so is equal to what its kind makes, and has its names."""
    made = maker_of(JobState)(tuple(JobState(runs=3)))
    assert (made, made.runs) == (JobState(runs=3), 3)
