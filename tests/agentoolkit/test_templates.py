"""The AgenTool ``templates``: rendering, its limits, and where templates are kept."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agentool import ConfigurationError, Injector, InvalidInput
from agentoolkit.settings import TemplateSettings
from agentoolkit.storage.kv import KeyNotFound, create_storage_kv_agent
from agentoolkit.system.templates import (
    InvalidTemplate,
    RenderingFailed,
    RenderingRefused,
    TemplateNotFound,
    create_templates_agent,
)
from agentoolkit.system.templates.library import FolderLibrary
from agentoolkit.testing import TestToolkit


class Asking:
    def __init__(self, settings: TemplateSettings | None = None) -> None:
        self.injector = Injector()
        self.agentool = create_templates_agent(settings, injector=self.injector)

    async def __call__(self, operation: str, **fields: Any) -> Any:
        return await self.injector.run("templates", {"operation": operation, **fields})

    async def render(self, template: str, **variables: Any) -> str:
        return (await self("render", template=template, variables=variables)).text

    def check(self, **fields: Any) -> None:
        self.agentool.check({"operation": "render", **fields})


@pytest.fixture
async def ask() -> AsyncIterator[Asking]:
    ask = Asking()
    yield ask
    await ask.agentool.deps.close()


@pytest.fixture
async def ask_folder(tmp_path: Path) -> AsyncIterator[Asking]:
    ask = Asking(TemplateSettings(folder=tmp_path / "templates"))
    yield ask
    await ask.agentool.deps.close()


@pytest.fixture
async def ask_limited() -> AsyncIterator[Asking]:
    ask = Asking(TemplateSettings(size=300, output_size=1_000, variables_size=1_000, seconds=0.3, processes=1))
    await ask("validate", template="the process is started")
    yield ask
    await ask.agentool.deps.close()


def environment_of(pid: int) -> bytes:
    place = Path(f"/proc/{pid}/environ")
    if not place.exists():
        pytest.skip("this system does not show a process's environment")
    return place.read_bytes()


# Rendering


async def test_a_text_is_rendered(ask: Asking):
    """Variables, loops and filters work, and a line break at the end stays."""
    assert await ask.render("{% for x in xs %}{{ x|upper }} {% endfor %}{{ n + 1 }}\n", xs=["a", "b"], n=1) == "A B 2\n"


async def test_a_saved_template_is_rendered_by_its_name(ask: Asking):
    """What was saved under a name is what the name renders."""
    await ask("save", template_name="report", template="As of {{ timestamp }}")
    assert (await ask("render", template_name="report", variables={"timestamp": "noon"})).text == "As of noon"


async def test_a_missing_variable_is_an_error(ask: Asking):
    """A variable that was not given is an error, which names it and the line."""
    with pytest.raises(RenderingFailed, match="'name' is undefined") as caught:
        await ask.render("Dear\n{{ name }}")
    assert caught.value.line == 2


async def test_a_failing_expression_names_its_line_in_a_named_template(ask: Asking):
    """What goes wrong at run time is told with its type and the template's line."""
    await ask("save", template_name="mail/sum", template="\n\n{{ 1 / x }}")
    with pytest.raises(RenderingFailed, match="ZeroDivisionError") as caught:
        await ask("render", template_name="mail/sum", variables={"x": 0})
    assert caught.value.line == 3


async def test_references_in_variables_are_looked_up(ask: Asking):
    """A `!ref:` at any depth of the variables is the value it names, at the time of rendering."""
    create_storage_kv_agent(injector=ask.injector)
    await ask.injector.run("storage_kv", {"operation": "set", "key": "city", "value": "Köln"})
    assert await ask.render("{{ a.b[0] }}", a={"b": ["!ref:storage_kv:city"]}) == "Köln"


async def test_a_value_that_looks_like_a_reference_is_printed_as_it_is(kit: TestToolkit):
    """What a stranger stored, and a job takes by reference, looks nothing up when a template is given it."""
    run = kit.injector.run
    await run("storage_kv", {"operation": "set", "key": "secret", "value": "s3cret"})
    await run("storage_kv", {"operation": "set", "key": "name", "value": "!ref:storage_kv:secret"})
    call = {"operation": "render", "template": "hello {{ name }}", "variables": {"name": "!ref:storage_kv:name"}}
    job = {"operation": "schedule", "job_id": "job", "schedule": "1 hour", "agentool_name": "templates", "input_data": call}
    await run("scheduler", job)
    await kit.advance(hours=1)
    status = "running"
    while status in ("queued", "running"):
        await kit.clock.let_run()
        (record,) = (await run("scheduler", {"operation": "get_history", "job_id": "job"})).data["history"]
        status = record["status"]
    assert record["result"]["text"] == "hello !ref:storage_kv:secret"


async def test_a_reference_to_nothing_is_an_error(ask: Asking):
    """A reference that names no value fails as the AgenTool that was asked says."""
    create_storage_kv_agent(injector=ask.injector)
    with pytest.raises(KeyNotFound):
        await ask.render("{{ a }}", a="!ref:storage_kv:nothing")


async def test_includes_find_saved_templates(ask: Asking):
    """A template includes, imports and extends others by their names."""
    await ask("save", template_name="base", template="<{% block body %}{% endblock %}>")
    await ask("save", template_name="sign", template="-- {{ who }}")
    source = "{% extends 'base' %}{% block body %}{% include 'sign' %}{% endblock %}"
    assert await ask.render(source, who="me") == "<-- me>"


async def test_an_include_of_nothing_is_an_error(ask: Asking):
    """A template that includes what does not exist says which name that is."""
    with pytest.raises(RenderingFailed, match="'nothing'"):
        await ask.render("{% include 'nothing' %}")


async def test_html_is_escaped_by_name(ask: Asking):
    """Text in a template named `.html` is escaped, in others it is not."""
    for name in ("a.html", "a.txt"):
        await ask("save", template_name=name, template="{{ x }}")
    texts = [(await ask("render", template_name=name, variables={"x": "<b>"})).text for name in ("a.html", "a.txt")]
    assert texts == ["&lt;b&gt;", "<b>"]


async def test_renderings_do_not_meet(ask: Asking):
    """What one rendering sets is not there in the next, in whatever process that is."""
    for _ in range(3):
        assert await ask.render("{% set x = (x|default(0)) + 1 %}{{ x }}") == "1"


async def test_many_at_once(ask: Asking):
    """Fifty renderings at once each get their own answer."""
    texts = await asyncio.gather(*(ask.render("{{ n }}", n=n) for n in range(50)))
    assert texts == [str(n) for n in range(50)]


# Limits

BOMBS = [
    '{{ "a" * 10000000000 }}',
    '{{ "%999999999d"|format(1) }}',
    '{{ "{:>999999999}".format(1) }}',
    '{{ "a".ljust(999999999) }}',
    '{{ "a"|center(999999999) }}',
    "{{ [0] * 999999999 }}",
    "{{ 7 ** 99999999 }}",
    "{{ [1]|batch(10 ** 9, 'x')|list }}",
    '{% set ns = namespace(x="aaaaaaaa") %}{% for i in range(40) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}',
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
    "{% macro f(n) %}{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}{% endmacro %}{{ f(1) }}",
    "{{ range(999999999)|list }}",
    "{{ lipsum(n=99999999) }}",
    "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
]
ESCAPES = [
    "{{ ''.__class__.__mro__ }}",
    "{{ ().__class__.__base__.__subclasses__() }}",
    "{{ [].append(1) }}",
    "{{ {}.update(a=1) }}",
    "{{ ''|attr('__class__') }}",
    "{{ self.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os }}",
    "{{ '{0.__class__}'.format(1) }}",
]


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_bomb_is_refused(ask_limited: Asking, bomb: str):
    """What would take all time or memory ends within the limit, without holding up the event loop."""
    longest, before = 0.0, time.perf_counter()
    rendering = asyncio.ensure_future(ask_limited.render(bomb))
    while not rendering.done():
        turn = time.perf_counter()
        await asyncio.wait({rendering}, timeout=0.01)
        longest = max(longest, time.perf_counter() - turn)
    with pytest.raises((RenderingRefused, RenderingFailed)):
        await rendering
    assert longest < 0.25
    assert time.perf_counter() - before < 2


async def test_after_a_bomb_rendering_goes_on(ask_limited: Asking):
    """A process that was ended is replaced by another one."""
    with pytest.raises(RenderingRefused, match="template_seconds"):
        await ask_limited.render(BOMBS[9])
    assert await ask_limited("validate", template="{{ a }}")


@pytest.mark.parametrize("escape", ESCAPES)
async def test_the_sandbox_holds(ask: Asking, escape: str):
    """No way is open from a value to the interpreter, and nothing given can be changed."""
    with pytest.raises((RenderingRefused, RenderingFailed)):
        await ask.render(escape)


async def test_a_rendering_process_has_no_environment(ask: Asking, monkeypatch: pytest.MonkeyPatch):
    """Secrets among this process's variables are not in the one that renders."""
    monkeypatch.setenv("MY_SECRET", "hidden")
    await ask.render("x")
    (worker,) = ask.agentool.deps.renderer._idle
    assert b"MY_SECRET" not in environment_of(worker._process.pid)


@pytest.mark.parametrize(
    ("fields", "setting"),
    [
        ({"template": "x" * 301}, "template_size"),
        ({"template": "{{ x * 11 }}", "variables": {"x": "y" * 100}}, "template_output_size"),
        ({"template": "x", "variables": {"x": "y" * 1_000}}, "template_variables_size"),
    ],
)
async def test_sizes_are_limited(ask_limited: Asking, fields: dict[str, Any], setting: str):
    """Source, output and variables beyond their limits are refused, each by the name of its setting."""
    with pytest.raises((RenderingRefused, InvalidTemplate), match=setting):
        await ask_limited("render", **fields)


@pytest.mark.parametrize(
    "template",
    [
        "{{ {}['a' * 4000000] }}",
        "{{ lipsum(**{'a' * 4000000: 1}) }}",
        "{% include 'a' * 4000000 %}",
        "{% include ['a' * 4000000, 'b' * 4000000] %}",
        "{{ '{0.__x}'.format('a' * 4000000) ~ ''|attr('a' * 4000000) ~ 1 }}",
    ],
)
async def test_what_is_said_of_a_failure_is_limited(ask: Asking, template: str):
    """A template that fails with a long text of its own making is told with the beginning of it."""
    with pytest.raises(RenderingFailed) as caught:
        await ask.render(template)
    assert len(str(caught.value)) < 2_500


async def test_a_cancelled_rendering_does_no_harm(ask: Asking):
    """After a rendering whose caller went away, the next one gets its own answer."""
    rendering = asyncio.ensure_future(ask.render("{{ n }}", n=1))
    await asyncio.sleep(0)
    rendering.cancel()
    assert await ask.render("{{ n }}", n=2) == "2"


async def test_a_process_that_was_ended_from_outside_is_replaced(ask: Asking):
    """When the system ends an idle process, the next rendering does not notice."""
    await ask.render("x")
    (worker,) = ask.agentool.deps.renderer._idle
    worker._process.kill()
    worker._process.wait()
    assert await ask.render("x") == "x"


async def test_a_process_that_breaks_down_is_told(ask: Asking, monkeypatch: pytest.MonkeyPatch):
    """When the system ends a process at work, the refusal says so, and the next rendering is done."""
    await ask.render("x")
    (worker,) = ask.agentool.deps.renderer._idle
    monkeypatch.setattr(worker, "_send", lambda line: worker.kill())
    with pytest.raises(RenderingRefused, match="broke down"):
        await ask.render("x")
    assert await ask.render("x") == "x"


async def test_a_python_without_jinja2_is_told(monkeypatch: pytest.MonkeyPatch):
    """When the process does not start, that is an error of the application, and no rendering waits for it."""
    monkeypatch.setattr(sys, "executable", shutil.which("true"))
    with pytest.raises(ConfigurationError, match="does not start"):
        await Asking().render("x")


async def test_closing_ends_the_processes(ask: Asking):
    """After `close` no process is left, and the next rendering starts one."""
    await ask.render("x")
    (worker,) = ask.agentool.deps.renderer._idle
    await ask.agentool.deps.close()
    with pytest.raises(ProcessLookupError):
        os.kill(worker._process.pid, 0)
    assert await ask.render("x") == "x"


def test_another_event_loop_can_render():
    """Processes belong to no event loop."""
    ask = Asking()
    assert [asyncio.run(ask.render("{{ n }}", n=n)) for n in (1, 2)] == ["1", "2"]
    asyncio.run(ask.agentool.deps.close())


# Keeping templates


async def test_save_tells_whether_it_is_new_and_what_it_takes(ask: Asking):
    """The answer names the variables, and the second time says that one was replaced."""
    saved = [await ask("save", template_name="a", template="{{ x }}{% set y = 1 %}{{ y }}{{ z }}") for _ in range(2)]
    assert [(answer.created, answer.variables) for answer in saved] == [(True, ["x", "z"]), (False, ["x", "z"])]


async def test_what_is_no_template_is_not_saved(ask: Asking):
    """A text with a mistake is refused with its line, and nothing is kept."""
    with pytest.raises(InvalidTemplate) as caught:
        await ask("save", template_name="a", template="ok\n{% if %}")
    assert (caught.value.line, (await ask("list")).count) == (2, 0)


async def test_list_get_and_delete(ask: Asking):
    """Names are listed in order, a text is shown as saved, and deleting a second time says that nothing was there."""
    for name in ("b", "a"):
        await ask("save", template_name=name, template=f"text of {name}")
    assert (await ask("list")).templates == ["a", "b"]
    assert (await ask("get", template_name="a")).template == "text of a"
    assert [(await ask("delete", template_name="a")).deleted for _ in range(2)] == [True, False]


async def test_validate_says_what_is_wrong(ask: Asking):
    """A text with a mistake is an answer here, not an error."""
    answer = await ask("validate", template="{{ a }")
    assert (answer.valid, answer.line, answer.variables) == (False, 1, [])
    assert (await ask("validate", template="{{ a }}")).variables == ["a"]


async def test_an_unknown_name_names_the_nearest(ask: Asking):
    """A misspelt name is a KeyError that names what was meant."""
    await ask("save", template_name="report", template="x")
    with pytest.raises(TemplateNotFound, match="'report'"):
        await ask("render", template_name="raport")


async def test_precheck_refuses_an_unknown_name(ask: Asking):
    """Before anything is rendered, a name that is not there is refused; a reference is taken on trust."""
    with pytest.raises(KeyError):
        ask.check(template_name="nothing")
    ask.check(template_name="!ref:config:template")


@pytest.mark.parametrize("fields", [{}, {"template_name": "a", "template": "b"}])
async def test_exactly_one_template_is_needed(ask: Asking, fields: dict[str, str]):
    """Neither or both of name and text is refused."""
    with pytest.raises(InvalidInput, match="One template"):
        await ask("render", **fields)


async def test_a_folder_keeps_templates(ask_folder: Asking, tmp_path: Path):
    """A template is a file of its name with `.j2`, whoever wrote it."""
    await ask_folder("save", template_name="mail/welcome.html", template="{{ who }}")
    assert (tmp_path / "templates/mail/welcome.html.j2").read_text() == "{{ who }}"
    (tmp_path / "templates/own.j2").write_text("mine {{ x }}")
    assert (await ask_folder("list")).templates == ["mail/welcome.html", "own"]
    assert (await ask_folder("render", template_name="own", variables={"x": 1})).text == "mine 1"
    assert (await ask_folder("delete", template_name="own")).deleted


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "a/../../secret", "a//b", ".hidden", "a\\b", "link/secret", "leak", "x" * 201]
)
async def test_a_name_does_not_lead_out_of_the_folder(ask_folder: Asking, tmp_path: Path, name: str):
    """No name, and no link in the folder, leads to a file outside of it, to read or to write."""
    folder = tmp_path / "templates"
    folder.mkdir()
    (tmp_path / "secret.j2").write_text("secret")
    (folder / "link").symlink_to(tmp_path)
    (folder / "leak.j2").symlink_to(tmp_path / "secret.j2")
    with pytest.raises(TemplateNotFound):
        await ask_folder("get", template_name=name)
    with pytest.raises(InvalidInput):
        await ask_folder("save", template_name=name, template="mine")
    assert (tmp_path / "secret.j2").read_text() == "secret"


def test_a_template_that_cannot_be_written_leaves_no_file(tmp_path: Path):
    """Where writing a template fails, the folder is as it was."""
    library = FolderLibrary(tmp_path, largest=1000)
    library.save("own", "mine")
    with pytest.raises(UnicodeEncodeError):
        library.save("own", "\ud800")
    assert ([path.name for path in tmp_path.iterdir()], library.find("own")) == (["own.j2"], "mine")


async def test_a_large_file_in_the_folder_is_not_read(ask_folder: Asking, tmp_path: Path):
    """A file beyond the limit is refused when it is asked for."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/large.j2").write_text("x" * 100_001)
    with pytest.raises(InvalidTemplate, match="100,000"):
        await ask_folder("render", template_name="large")


async def test_what_can_be_saved_can_be_read(tmp_path: Path):
    """A template's size is counted in characters, when it is saved and when it is read."""
    ask = Asking(TemplateSettings(folder=tmp_path / "templates", size=100))
    text = "日" * 100
    await ask("save", template_name="full", template=text)
    found = [(await ask("get", template_name="full")).template, (await ask("render", template_name="full")).text]
    await ask.agentool.deps.close()
    assert found == [text, text]


async def test_a_file_with_more_characters_is_not_read(tmp_path: Path):
    """A larger file that somebody put there is refused."""
    ask = Asking(TemplateSettings(folder=tmp_path, size=100))
    (tmp_path / "large.j2").write_text("日" * 101)
    with pytest.raises(InvalidTemplate, match="more than 100 characters"):
        await ask("get", template_name="large")
    await ask.agentool.deps.close()
