"""Settings: variables, the ``.env`` file, code, and what each refuses."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from pydantic import ValidationError

from agentool import ConfigurationError
from agentool.caller import OWN, Caller, acting_as
from agentoolkit.settings import InvalidSettings, Setting, Settings, ShellSettings, all_settings, home
from agentoolkit.testing import toolkit

from .settings_page import example_of, page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder and an environment without settings."""
    for name in [name for name in os.environ if name.startswith("AGENTOOL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_is_up_to_date() -> None:
    """docs/reference/settings.md is what the settings say of themselves; REGENERATE_DOCS=1 writes it anew."""
    if os.environ.get("REGENERATE_DOCS"):
        PAGE.write_text(page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("setting", all_settings(), ids=lambda setting: setting.variable)
def test_the_example_of_a_setting_can_be_typed(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page shows is what a variable takes."""
    monkeypatch.setenv(setting.variable, example_of(setting))
    assert len(Settings().given) == 1


def test_every_setting_is_described_and_has_its_own_variable() -> None:
    """No setting is without words, and no two share a variable."""
    assert all(setting.about.description for setting in all_settings())
    assert len({setting.variable for setting in all_settings()}) == len(all_settings())


@pytest.mark.parametrize(
    ("variable", "text", "found"),
    [
        ("AGENTOOL_SHELL_TIMEOUT", "5", lambda settings: settings.shell.timeout == 5),
        ("AGENTOOL_LOG_FILE_SIZE", "5000", lambda settings: settings.log.file_size == 5_000),
        ("AGENTOOL_LOG_FILES", "2", lambda settings: settings.log.files == 2),
        ("AGENTOOL_FILES", '{"/data": "d"}', lambda settings: list(settings.files.folders) == ["/data"]),
        ("AGENTOOL_FILES_TREE_SIZE", "7", lambda settings: settings.files.tree_size == 7),
        ("AGENTOOL_TEMPLATE_SECONDS", "1.5", lambda settings: settings.templates.seconds == 1.5),
        ("AGENTOOL_NOTIFICATION_SERVICES", '{"a": "json://b"}', lambda settings: list(settings.notification.services) == ["a"]),
        ("AGENTOOL_LOG_CONSOLE", "false", lambda settings: settings.log.console is False),
        ("AGENTOOL_CONCURRENCY", "3", lambda settings: settings.concurrency == 3),
    ],
)
def test_a_variable_reaches_its_group(variable, text, found, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of a variable is its group and its field, or the name it always had."""
    monkeypatch.setenv(variable, text)
    assert found(Settings())


@pytest.mark.parametrize("text", ["git,ls", " git , ls ,", '["git", "ls"]'])
def test_a_list_takes_commas_or_json(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list is written with commas or as JSON."""
    monkeypatch.setenv("AGENTOOL_PROGRAMS", text)
    assert Settings().shell.programs == ("git", "ls")


@pytest.mark.parametrize("variable", [setting.variable for setting in all_settings()])
@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_variable_is_not_set(variable: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``AGENTOOL_DATABASE=`` means what leaving it out means."""
    monkeypatch.setenv(variable, text)
    assert Settings().given == {}


def test_an_empty_home_is_not_set(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``AGENTOOL_HOME=`` means ``~/.agentool``, and a relative one is read once."""
    monkeypatch.setenv("AGENTOOL_HOME", "")
    assert home() == folder / "home" / ".agentool"
    monkeypatch.setenv("AGENTOOL_HOME", "kept")
    assert home() == folder / "kept"


def test_code_counts_before_variables_and_these_before_the_env_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each layer gives only what the ones above it leave open."""
    (folder / ".env").write_text("AGENTOOL_SHELL_TIMEOUT=1\nAGENTOOL_CONCURRENCY=1\nAGENTOOL_TIMEZONE=UTC\n")
    monkeypatch.setenv("AGENTOOL_CONCURRENCY", "2")
    monkeypatch.setenv("AGENTOOL_SHELL_OUTPUT_LIMIT", "2")
    settings = Settings(shell=ShellSettings(timeout=3))
    assert (settings.shell.timeout, settings.shell.output_limit, settings.concurrency, settings.timezone) == (3, 2, 2, "UTC")


@pytest.mark.parametrize(
    ("named", "read"),
    [
        ("~/kept.db", "home/kept.db"),
        ("sqlite:///~/kept.db", "home/kept.db"),
        ("kept.db", "kept.db"),
        ("sqlite:///kept.db", "kept.db"),
        ("a/../kept.db", "kept.db"),
    ],
)
def test_a_database_is_named_once(named: str, read: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``~``, relative paths and sqlite:/// are read when the settings are; what is then meant does not depend on the folder."""
    settings = Settings(database=named)
    monkeypatch.chdir("/")
    assert settings.database == str(folder / read)


def test_other_paths_are_read_once(folder: Path) -> None:
    """The log's file, configuration, templates, folders of files and of commands, and programs by path."""
    settings = Settings(
        log_file="~/l.log", config_files=("a.toml",), template_folder="t", files={"/d": "d"}, shell_folders=("~",), programs=("./p", "git")
    )
    assert settings.log.file == folder / "home" / "l.log"
    assert settings.config.files == (folder / "a.toml",)
    assert settings.templates.folder == folder / "t"
    assert settings.files.folders == {"/d": folder / "d"}
    assert settings.shell.folders == (folder / "home",)
    assert settings.shell.programs == (str(folder / "p"), "git")


@pytest.mark.parametrize(
    "url",
    [
        "mysql://a:hush@host/db",
        "redis://:hush@host",
        "sqlite+aiosqlite:///hush",
        "sqlite:///",
        ":memory:",
        "hush\0",
        "sqlserver:/hush",
        "mysql:a:hush@h",
        "oracle:hush@h/db",
    ],
)
def test_a_database_of_another_kind_is_refused(url: str) -> None:
    """A URL of a scheme that is not supported makes no folder with a password in its name."""
    with pytest.raises(ValidationError) as refused:
        Settings(database=url)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("AGENTOOL_MCP_SERVERS", '{"a": {"command": "x", "env": {"TOKEN": ["hush"]}}}'),
        ("AGENTOOL_MCP_SERVERS", '{"a": {"headers": {"Authorization": "hush"}}}'),
        ("AGENTOOL_HTTP_SIGNING", '{"host": ["hush"]}'),
        ("AGENTOOL_HTTP_SIGNING", "hush"),
        ("AGENTOOL_NOTIFICATION_SERVICES", '{"a": ["hush"]}'),
        ("AGENTOOL_NOTIFICATION_SERVICES", "slack://hush"),
        ("AGENTOOL_PING_URL", "hush"),
        ("AGENTOOL_DATABASE", "mysql://a:hush@host/db"),
    ],
)
def test_an_error_about_a_secret_does_not_quote_it(variable: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the variable, and neither its text nor what caused the error has the value."""
    monkeypatch.setenv(variable, text)
    with pytest.raises(InvalidSettings, match=variable) as refused:
        Settings()
    told = [str(refused.value), repr(refused.value.__cause__), repr(refused.value.value)]
    assert not any("hush" in said for said in told)


def test_a_wrong_value_is_told_in_the_words_of_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable that is wrong is named, with its value."""
    monkeypatch.setenv("AGENTOOL_SHELL_TIMEOUT", "-1")
    monkeypatch.setenv("AGENTOOL_LOG_LEVEL", "LOUD")
    with pytest.raises(InvalidSettings, match=r"AGENTOOL_SHELL_TIMEOUT: .*'-1'; AGENTOOL_LOG_LEVEL: .*'LOUD'"):
        Settings()


def test_a_keyword_that_is_no_setting_is_refused() -> None:
    """A misspelt keyword is told, with the one that was meant."""
    with pytest.raises(ConfigurationError, match="'shell_timeout'"):
        Settings(shel_timeout=1)


def test_without_variables_only_what_code_gave_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a variable said and code did not is the default again."""
    monkeypatch.setenv("AGENTOOL_DATABASE", "real.db")
    monkeypatch.setenv("AGENTOOL_SHELL_TIMEOUT", "5")
    settings = Settings(timezone="UTC", programs=("git",)).without_variables()
    assert {setting.name for setting in settings.given} == {"timezone", "programs"}


def test_settings_import_no_tool() -> None:
    """The ground floor knows no room above it."""
    code = "import sys, agentoolkit.settings; print(*[name for name in sys.modules if name.startswith('agentoolkit.')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    ours = ("settings", "setting_groups", "setting_sources", "setting_values", "agent_settings", "own_folder")
    ground = {f"agentoolkit.{name}" for name in ours}
    assert set(loaded) <= ground


@pytest.mark.parametrize(
    ("name", "scheme"), [("redis_url", "redis"), ("redis_url", "rediss"), ("celery_broker", "amqp"), ("ping_url", "https")]
)
@pytest.mark.parametrize("password", ["hunter/2", "hunter#2", "hunter?2"])
def test_a_password_that_is_not_written_for_an_address_is_not_shown(name: str, scheme: str, password: str) -> None:
    """Its beginning stands where a port is, and the libraries quote that; the error says how to write it."""
    with pytest.raises(ValueError, match="%2F") as refused:
        Settings.from_values({name: f"{scheme}://maria:{password}@127.0.0.1:6379/0"})
    assert "hunter" not in str(refused.value)


NUMBERS = [setting for setting in all_settings() if setting.kind in ("number", "whole number")]


@pytest.mark.parametrize("text", ["inf", "1e300", "9" * 40, "nan"])
@pytest.mark.parametrize("setting", NUMBERS, ids=lambda setting: setting.variable)
def test_a_number_without_bounds_is_refused(setting: Setting, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told by its variable at the start; later it would overflow a date, a timer or a database, at each use."""
    monkeypatch.setenv(setting.variable, text)
    with pytest.raises(InvalidSettings, match=setting.variable):
        Settings()


async def test_the_largest_limits_of_agents_work() -> None:
    """A job of a model has an end as late as may be, and its caps are counted."""
    limits = {
        "agents_expiry_days": 36_500,
        "agents_runs_per_day": 2**53,
        "agents_jobs": 2**53,
        "agents_spread": 0,
        "agents_min_interval": 0,
    }
    async with toolkit(settings=Settings(timezone="UTC", **limits)) as kit:
        with acting_as(Caller("model", "agent", OWN)):
            call = {"schedule": "1 day", "agentool_name": "queue", "input_data": {"operation": "list_queues"}}
            scheduled = await kit.injector.run("scheduler", {"operation": "schedule", **call})
    assert "ends on" in " ".join(scheduled.data["remarks"])


@pytest.mark.parametrize(("group", "value"), [("shell", None), ("shell", 5), ("celery", "redis://:S3CRET@host"), ("mcp", ["a"])])
def test_a_group_of_settings_is_not_one_value(group: str, value: object) -> None:
    """The way out is named, and the value is not: it may be an address with a password."""
    with pytest.raises(ConfigurationError, match=rf"{group}: It is a group of settings.*such as '{group}_") as refused:
        Settings(**{group: value})
    assert "S3CRET" not in str(refused.value)


def test_an_env_file_in_another_encoding_is_refused(folder: Path) -> None:
    """With the place, and without a part of the file."""
    (folder / ".env").write_bytes(b"AGENTOOL_TIMEOUT=5\nAGENTOOL_REDIS_URL=redis://:S3CRET\xe9@host\n")
    with pytest.raises(InvalidSettings, match=r"The file .env is not UTF-8: its byte 53 cannot be read. Save it as UTF-8.") as refused:
        Settings()
    assert "S3CRET" not in "".join(traceback.format_exception(refused.value))


def test_an_env_file_that_cannot_be_read_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one of another user."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (folder / ".env").write_text("AGENTOOL_TIMEOUT=5\n")
    monkeypatch.setattr("dotenv.dotenv_values", refuse)
    with pytest.raises(InvalidSettings, match=r"The file .env of the working directory cannot be read: Permission denied"):
        Settings()


def test_the_database_is_not_shown_with_the_settings() -> None:
    """Its address may hold a password."""
    assert "S3CRET" not in repr(Settings(database="postgresql://maria:S3CRET@host/jobs"))
