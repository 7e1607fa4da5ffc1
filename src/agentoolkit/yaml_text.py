"""Read YAML by the rules of version 1.2: ``12:30`` and ``on`` are text, and duplicate keys are errors. Write what both versions read."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, cast

import yaml

from agentool.errors import excerpt

MAX_NODES = 100_000
"""Values in a text, every alias counted with its target's values."""

_SHOWN = 40
_REMEDY = "Put it in quotes, or correct it."


class SafeLoader(yaml.SafeLoader):
    """Safe YAML, read by the rules of version 1.2."""

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Any, Any]:
        if not isinstance(node, yaml.MappingNode):  # it is tagged as a mapping
            problem = f"a {cast('Any', node).id} cannot be read as {node.tag.rpartition(':')[2]}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark, note=_REMEDY)
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        if twice := next((key for key, times in keys.items() if times > 1), None):
            raise yaml.constructor.ConstructorError(None, None, f"duplicate key {twice!r}", node.start_mark)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return cast("Any", super()).construct_object(node, deep)
        except yaml.YAMLError:
            raise
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
            # PyYAML lets Python's own error through if a value does not fit its tag.
            problem = f"{str(node.value)[:_SHOWN]} cannot be read as {node.tag.rpartition(':')[2]}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark, note=_REMEDY) from error


_AMBIGUOUS = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp")
SafeLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _AMBIGUOUS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class SafeDumper(yaml.SafeDumper):
    """Safe YAML in which texts are texts by the rules of versions 1.1 and 1.2."""

    def represent_text(self, text: str) -> yaml.Node:
        """Write a text, in escapes if it has line breaks of other alphabets: outside escapes these are read as line feeds or blanks."""
        style = '"' if _OTHER_BREAKS.search(text) else None
        return cast("Any", self).represent_scalar("tag:yaml.org,2002:str", text, style=style)


_OTHER_BREAKS = re.compile("[\x85\u2028\u2029\ufeff]")
SafeDumper.add_representer(str, SafeDumper.represent_text)
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", "-+0123456789"),
):
    for _reader in (SafeLoader, SafeDumper):  # the dumper quotes a text that one of its rules would read otherwise
        cast("Any", _reader).add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})\\Z"), list(_first))


def compose(text: str) -> yaml.Node | None:
    """Parse a text into nodes, which know their lines. Raises `yaml.YAMLError`, `RecursionError`."""
    return cast("yaml.Node | None", yaml.compose(text, Loader=SafeLoader))  # pyright: ignore[reportUnknownMemberType]


def construct(node: yaml.Node, loader: type[SafeLoader] = SafeLoader) -> Any:
    """Turn a node into values. Raises `yaml.YAMLError`."""
    return cast("Any", loader("")).construct_document(node)


def dump(value: Any, *, ascii_only: bool = False) -> str:
    """Write values as YAML that `compose` and `construct` read as the same values; with `ascii_only`, all other characters as escapes."""
    return yaml.dump(value, Dumper=SafeDumper, sort_keys=False, allow_unicode=not ascii_only, width=120)


def size(node: yaml.Node, known: dict[int, int] | None = None) -> int:
    """Count the values below a node as if every alias were written out, without writing them out."""
    known = {} if known is None else known
    if id(node) not in known:
        known[id(node)] = MAX_NODES  # an alias of a node that contains it would have no end
        entries = cast("list[Any]", node.value) if isinstance(node, yaml.CollectionNode) else []
        groups = [cast("tuple[yaml.Node, ...]", entry if isinstance(entry, tuple) else (entry,)) for entry in entries]
        known[id(node)] = 1 + sum(size(part, known) for group in groups for part in group)
    return known[id(node)]


def one_line(error: Exception) -> str:
    """Return the problem of a text and its place in one sentence."""
    mark = getattr(error, "problem_mark", None)
    where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    way_out = f" {note}" if (note := getattr(error, "note", None)) else ""
    return f"{excerpt(getattr(error, 'problem', None) or str(error))}{where}.{way_out}"
