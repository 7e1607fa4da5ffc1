"""The AgenTool ``config``: which layer answers, and what is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentool import Injector, InvalidInput
from agentool.references import resolve_references
from agentoolkit.system.config import ConfigKeyNotFound, InvalidConfigFile, Layers, create_config_agent
from agentoolkit.system.config.layers import typed

TOML = """
debug = true
since = 2030-01-01

[smtp]
host = "file.example.org"
port = 25
password = "hunter2"

[smtp.tls]
versions = ["1.2", "1.3"]
"""
YAML = "smtp:\n  host: other.example.org\nat: 12:30\ncountry: no\n"


class Asking:
    def __init__(self, folder: Path) -> None:
        (folder / "a.toml").write_text(TOML)
        (folder / "b.yaml").write_text(YAML)
        self.environment: dict[str, str] = {}
        self.injector = Injector()
        layers = Layers([folder / "a.toml", folder / "b.yaml"], self.environment)
        create_config_agent(layers=layers, injector=self.injector)

    async def __call__(self, operation: str, **fields: Any) -> Any:
        return await self.injector.run("config", {"operation": operation, **fields})

    async def get(self, key: str, **fields: Any) -> tuple[Any, str]:
        answer = await self("get", key=key, **fields)
        return answer.value, answer.layer


@pytest.fixture
def ask(tmp_path: Path) -> Asking:
    return Asking(tmp_path)


async def test_runtime_before_environment_before_file_before_default(ask: Asking):
    """Each layer answers where those above it have nothing, and is named."""
    answers = [await ask.get("smtp.port", default=1), await ask.get("smtp.timeout", default=1)]
    ask.environment["AGENTOOL_CONFIG__SMTP__PORT"] = "26"
    answers.append(await ask.get("smtp.port"))
    await ask("set", key="smtp.port", value=27)
    answers.append(await ask.get("smtp.port"))
    assert answers == [(25, "file"), (1, "default"), (26, "environment"), (27, "runtime")]


async def test_a_later_file_counts_before_an_earlier_one(ask: Asking):
    """What the second file has is taken from it, all else from the first."""
    assert [await ask.get(key) for key in ("smtp.host", "debug")] == [("other.example.org", "file"), (True, "file")]


async def test_values_keep_their_types(ask: Asking):
    """Lists stay lists, dates become ISO text, and YAML's oddities are what they look like."""
    values = [(await ask.get(key))[0] for key in ("smtp.tls.versions", "since", "at", "country")]
    assert values == [["1.2", "1.3"], "2030-01-01", "12:30", "no"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("5", 5),
        ("1.5", 1.5),
        ('["a"]', ["a"]),
        ("text", "text"),
        ("", ""),
        ('"5"', "5"),
        ("1_000", "1_000"),
        ("[" * 10_000, "[" * 10_000),
    ],
)
def test_variables_are_typed(text: str, value: Any):
    """A variable's text is read as JSON if it is that; quotes keep a number text."""
    assert typed(text) == value


async def test_a_key_with_a_hyphen_has_a_variable(ask: Asking):
    """A hyphen in a key is an underscore in its variable."""
    ask.environment["AGENTOOL_CONFIG__MAX_SIZE"] = "3"
    assert await ask.get("max-size") == (3, "environment")


async def test_a_namespace_stands_before_the_key(ask: Asking):
    """Namespace and key are the dotted key."""
    await ask("set", namespace="billing", key="currency", value="EUR")
    assert await ask.get("billing.currency") == ("EUR", "runtime")
    assert (await ask("get", namespace="smtp.tls", key="versions")).key == "smtp.tls.versions"


async def test_delete_uncovers_the_layer_below(ask: Asking):
    """What was set is taken back, and the file answers again; other layers are not changed."""
    await ask("set", key="debug", value=False)
    assert [(await ask("delete", key="debug")).deleted for _ in range(2)] == [True, False]
    assert await ask.get("debug") == (True, "file")


async def test_a_falsy_value_can_be_deleted(ask: Asking):
    """0, false and empty text are values like others."""
    for value in (0, False, ""):
        await ask("set", key="x", value=value)
        assert (await ask("delete", key="x")).deleted


async def test_a_missing_key_names_the_nearest(ask: Asking):
    """Without a default, a missing key is a KeyError that names what was probably meant."""
    with pytest.raises(ConfigKeyNotFound, match=r"'smtp\.host'") as caught:
        await ask("get", key="smtp.hots")
    assert isinstance(caught.value, KeyError)


async def test_a_section_is_no_value(ask: Asking):
    """Asking for a section names the keys in it."""
    with pytest.raises(ConfigKeyNotFound, match=r"section, with smtp\.host, smtp\.password"):
        await ask("get", key="smtp")


async def test_list_shows_keys_values_and_layers(ask: Asking):
    """Every key below the prefix is listed once, with the value that counts."""
    ask.environment["AGENTOOL_CONFIG__SMTP__HOST"] = "env.example.org"
    ask.environment["AGENTOOL_CONFIG__SMTP__RETRIES"] = "2"
    await ask("set", key="smtp.port", value=27)
    shown = {value.key: (value.value, value.layer) for value in (await ask("list", prefix="smtp.")).values}
    assert shown == {
        "smtp.host": ("env.example.org", "environment"),
        "smtp.password": ("[redacted]", "file"),
        "smtp.port": (27, "runtime"),
        "smtp.retries": (2, "environment"),
        "smtp.tls.versions": (["1.2", "1.3"], "file"),
    }


async def test_secrets_are_not_shown_but_given(ask: Asking):
    """A secret is redacted in lists and in the answer to set, inside values too; get, and so a reference, gives it."""
    answer = await ask("set", key="api", value={"url": "https://u:pw@example.org", "token": "t"})
    assert answer.value == {"url": "https://u:[redacted]@example.org", "token": "[redacted]"}
    assert await resolve_references("!ref:config:smtp.password", ask.injector) == "hunter2"


@pytest.mark.parametrize("key", ["", ".a", "a.", "a..b", "a b"])
async def test_what_is_no_key_is_refused(ask: Asking, key: str):
    """A key is names with single dots between them."""
    with pytest.raises(InvalidInput, match="key"):
        await ask("get", key=key)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.toml", "x = "),
        ("a.yaml", "a: 1\na: 2"),
        ("a.yaml", "a: [1"),
        ("a.json", "[1]"),
        ("a.json", "{"),
        ("a.ini", "[a]"),
        (
            "a.yaml",
            "a: &a [1,1]\nb: &b [*a,*a]\n" + "".join(f"c{n}: &c{n} [{f'*c{n - 1},' * 9}*b]\n" if n else "c0: &c0 [*b]\n" for n in range(9)),
        ),
        ("a.json", "{" + " " * 1_000_000 + "}"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_at_once(tmp_path: Path, name: str, text: str):
    """What is not what its name says, ambiguous or hostile, is refused when the AgenTool is made, with the file's name."""
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidConfigFile, match=name):
        create_config_agent([tmp_path / name], injector=Injector())


def test_a_missing_file_is_told_at_once(tmp_path: Path):
    """A file that is not there is refused when the AgenTool is made."""
    with pytest.raises(InvalidConfigFile, match="cannot be read"):
        create_config_agent([tmp_path / "none.toml"], injector=Injector())


# Sections


async def test_a_section_that_is_set_answers_for_all_that_is_in_it(ask: Asking):
    """After `set smtp` its keys are those that were set, and no file's show through; `delete` uncovers them."""
    await ask("set", key="smtp", value={"host": "new", "tls": {"on": True}})
    assert [await ask.get("smtp.host"), await ask.get("smtp.tls.on")] == [("new", "runtime"), (True, "runtime")]
    with pytest.raises(ConfigKeyNotFound):
        await ask.get("smtp.port")
    assert (await ask("delete", key="smtp")).deleted
    assert (await ask.get("smtp.port"))[1] == "file"


async def test_a_key_set_after_its_section_changes_the_section(ask: Asking):
    """And a section set after its key replaces the key: the latest word counts."""
    await ask("set", key="smtp", value={"host": "new", "port": 1})
    await ask("set", key="smtp.port", value=2)
    assert await ask.get("smtp") == ({"host": "new", "port": 2}, "runtime")
    assert (await ask("delete", key="smtp.host")).deleted
    assert await ask.get("smtp") == ({"port": 2}, "runtime")
    await ask("set", key="smtp", value={"host": "other"})
    assert await ask.get("smtp") == ({"host": "other"}, "runtime")


async def test_a_section_in_a_variable_answers_for_its_keys(ask: Asking):
    """JSON in a variable is a section like any other."""
    ask.environment["AGENTOOL_CONFIG__QUEUE"] = '{"name": "q"}'
    assert await ask.get("queue.name") == ("q", "environment")


async def test_an_empty_variable_is_not_set(ask: Asking):
    """The file answers, for `get` and for `list`."""
    ask.environment["AGENTOOL_CONFIG__SMTP__PORT"] = ""
    assert await ask.get("smtp.port") == (25, "file")
    assert {value.key: value.layer for value in (await ask("list")).values}["smtp.port"] == "file"


@pytest.mark.parametrize("variable", ["AGENTOOL_CONFIG__A_B", "AGENTOOL_CONFIG__SMTP__PORT", "AGENTOOL_CONFIG__NEW__KEY"])
async def test_list_says_what_get_says(tmp_path: Path, variable: str):
    """For every key, whatever set it: `a-b` and `a_b`, which have one variable, sections, and all layers."""
    (tmp_path / "c.json").write_text('{"a-b": 1, "a_b": 2, "smtp": {"port": 25, "host": "h"}, "deep": {"er": {"x": 1}}}')
    environment = {variable: "7"}
    injector = Injector()
    create_config_agent(layers=Layers([tmp_path / "c.json"], environment), injector=injector)
    await injector.run("config", {"operation": "set", "key": "deep", "value": {"er": 3, "y": [1]}})
    listed = (await injector.run("config", {"operation": "list"})).values
    asked = [await injector.run("config", {"operation": "get", "key": value.key}) for value in listed]
    assert [(value.key, value.value, value.layer) for value in listed] == [(value.key, value.value, value.layer) for value in asked]
    assert {value.key for value in listed} >= {"a-b", "a_b", "smtp.host", "deep.er", "deep.y"}


@pytest.mark.parametrize(
    ("earlier", "later", "expected"),
    [
        ({"smtp": {"host": "a", "tls": {"on": True}}, "b": 1}, {"smtp": "off"}, {"b": 1, "smtp": "off"}),
        ({"smtp": "off"}, {"smtp": {"host": "a"}}, {"smtp.host": "a"}),
        ({"smtp": {"host": "a"}}, {"smtp": {}}, {"smtp.host": "a"}),
        ({"smtp": "off"}, {"smtp": {}}, {"smtp": {}}),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": 2}}, {"a.b": 2}),
    ],
)
def test_a_value_of_a_later_file_replaces_a_section_and_a_section_a_value(
    tmp_path: Path, earlier: dict[str, Any], later: dict[str, Any], expected: dict[str, Any]
):
    """Else a key had a value, and keys in it had others; an empty section takes nothing from one."""
    files = [tmp_path / "1.json", tmp_path / "2.json"]
    for file, values in zip(files, (earlier, later), strict=True):
        file.write_text(json.dumps(values))
    assert {key: answer.value for key, answer in Layers(files, {}).all().items()} == expected
