"""What templates are given and where they are kept: refusals in words, and files as they were."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from agentool import Injector, InvalidInput
from agentoolkit.settings import TemplateSettings
from agentoolkit.system.templates import TemplateError, create_templates_agent
from agentoolkit.system.templates.library import FolderLibrary

Ask = Callable[..., Any]


@pytest.fixture
async def ask(tmp_path: Path) -> AsyncIterator[Ask]:
    injector = Injector()
    made = create_templates_agent(TemplateSettings(folder=tmp_path / "templates"), injector=injector)

    async def call(operation: str, **fields: Any) -> Any:
        return await injector.run("templates", {"operation": operation, **fields})

    yield call
    await made.deps.close()


@pytest.mark.parametrize("value", ["\ud800", object(), b"\xff"], ids=["half a character", "object", "bytes"])
async def test_variables_that_are_no_json_are_refused(ask: Ask, value: Any):
    """With the field, as every refusal, and before a process is asked."""
    with pytest.raises(InvalidInput, match="variables: They cannot be written as JSON") as refused:
        await ask("render", template="{{ a }}", variables={"a": value})
    assert (refused.value.field, refused.value.value) == ("variables", None)


async def test_a_saved_template_keeps_its_readers(tmp_path: Path):
    """Who could read the file can read it when the template was saved again."""
    (tmp_path / "page.j2").write_text("before")
    os.chmod(tmp_path / "page.j2", 0o644)
    FolderLibrary(tmp_path, 100).save("page", "after")
    assert ((tmp_path / "page.j2").stat().st_mode & 0o777, (tmp_path / "page.j2").read_text()) == (0o644, "after")


async def test_a_template_below_a_template_is_refused(ask: Ask, tmp_path: Path):
    """In a folder of files no name can be a file's and a folder's: the error says which template, and shows no path of the machine."""
    await ask("save", template_name="a", template="x")
    with pytest.raises(TemplateError, match=r"template_name: 'a\.j2/b' cannot be saved") as refused:
        await ask("save", template_name="a.j2/b", template="x")
    assert str(tmp_path) not in str(refused.value)


@pytest.mark.parametrize(("operation", "method"), [("save", "mkdir"), ("delete", "unlink"), ("get", "open")])
async def test_a_folder_that_the_system_refuses_is_told(ask: Ask, monkeypatch: pytest.MonkeyPatch, operation: str, method: str):
    """In a word of the system's, with the setting to look at; it was the system's own error."""
    await ask("save", template_name="a", template="x")

    def refuse(path: Path, *given: Any, **named: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, method, refuse)
    fields = {"template": "x"} if operation == "save" else {}
    with pytest.raises(TemplateError, match=r"'a' cannot be \w+: Permission denied. .*template_folder") as refused:
        await ask(operation, template_name="a", **fields)
    assert refused.value.value == "a"
