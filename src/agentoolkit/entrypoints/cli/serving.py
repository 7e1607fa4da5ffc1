"""Run ``agentool serve``: open a toolkit, apply the tasks of a file, and print a line for each execution."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from agentool.errors import AgenToolError, MissingExtra
from agentoolkit.entrypoints.cli.apply_tasks import Applied, task_lines
from agentoolkit.entrypoints.cli.execution_lines import NAME_WIDTH, Level, LiveLog
from agentoolkit.entrypoints.cli.not_allowed import not_allowed_here
from agentoolkit.entrypoints.cli.printing import PIPE_WIDTH, cut_name, present, shown
from agentoolkit.entrypoints.cli.quick_start import collect_as_usual
from agentoolkit.entrypoints.cli.served_tasks import EXAMPLE, Served
from agentoolkit.entrypoints.cli.session import PAGE, call, command_name, jobs_without_tool, keeps_jobs, names_database, settings_for
from agentoolkit.entrypoints.cli.signals import leave, stopping_on_signals, tasks_stay
from agentoolkit.entrypoints.cli.startup_report import startup_report
from agentoolkit.entrypoints.cli.terminal import ServingConsole
from agentoolkit.redaction import redacted_text
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.answer_schemas import History, JobList, JobSummary, SchedulerStatus
from agentoolkit.text import counted
from agentoolkit.threads import functions_running
from agentoolkit.wiring import Toolkit

_POLL_SECONDS = 1.0
_MAX_NAMED = 3
_RECENT = 10_000


def serve_file(
    path: Path | None, allow: Sequence[str], seconds: float | None, *, memory: bool, http: str | None = None, kept: bool = False
) -> None:
    """Serve until a signal comes or the time is over.

    Without a file the kept jobs are served, also if a setting names an empty database; without those, the bundled example.

    Raises:
        AgenToolError: The file cannot be read, a task is refused, or the database cannot be used.
    """
    terminal = ServingConsole(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    if path is None and not memory and (kept or names_database() or keeps_jobs()):
        serving = Serving(terminal, settings_for(allow), Served(), http)
    else:
        served = Served.of_file(path) if path else Served.of_example()
        serving = Serving(terminal, settings_for(allow, memory=memory, example=path is None), served, http)
    asyncio.run(serving.run(seconds))
    if functions_running():
        terminal.print("[dim]A function still ran in a thread and was left behind.[/]")
        leave(0)


class Serving:
    """One run of ``serve``.

    Args:
        terminal: Console for the output.
        settings: Settings of the toolkit.
        served: The tasks and their file.
        http: Address of the REST API; None: it is not served.
    """

    def __init__(self, terminal: Console, settings: Settings, served: Served, http: str | None = None) -> None:
        self._console = terminal
        self._settings = settings.model_copy(update={"freeze": True})
        self._served = served
        self._http = http
        self._log = LiveLog(terminal, self._write_log)
        self._kit: Toolkit | None = None
        self._last_told = ""

    async def run(self, seconds: float | None) -> None:
        """Serve, stop, print the summary."""
        opened = present()
        with stopping_on_signals() as stopped:
            kit = self._kit = Toolkit(self._settings)
            kit.scheduler.subscribe(self._log.hear)
            collect_as_usual()  # before the toolkit opens, which sets what the garbage collector scans
            async with kit, self._serving_http(kit):
                await self._begin(kit, opened)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._watch(kit, stopped)
                self._log.say("Stopping…", "dim")
            self._log.summary()
            if await tasks_stay():
                self._console.print("[dim]A handler ignored its cancellation and was left behind.[/]")
                leave(0)

    @contextlib.asynccontextmanager
    async def _serving_http(self, kit: Toolkit) -> AsyncGenerator[None]:
        """Serve the API, if it has an address, while a block lasts."""
        if self._http is None:
            yield
            return
        try:
            from agentoolkit.entrypoints.rest.server import serving_api
        except ImportError as error:
            remedy = "Install it: pip install 'agentool[http]'."
            raise MissingExtra("The API needs FastAPI and uvicorn, which are not installed.", field="http", remedy=remedy) from error
        async with serving_api(kit, self._http) as address:
            self._log.say(f"The API is served at {address}", "dim")
            yield

    def _write_log(self, level: Level, text: str) -> None:
        if self._kit is not None:
            # By the service: the AgenTool would also print it on stderr.
            self._kit.injector.get("logging").deps.log(level, "agentoolkit.serve", text, {}, on_console=False)

    async def _begin(self, kit: Toolkit, opened: datetime) -> None:
        # Only the first page of jobs is read: a start with very many jobs must not take minutes.
        number = (await call(kit, SchedulerStatus, "status")).jobs_count
        jobs = (await call(kit, JobList, "list", limit=PAGE)).jobs
        kept = [job.job_id for job in jobs]
        self._introduce(max(number, len(kept)))
        for job_id, name in await jobs_without_tool(kit, jobs):
            self._log.say(f"Job {job_id} cannot run: no AgenTool is named {name!r} here. AGENTOOL_PLUGINS names plugins.", "red", "ERROR")
        self._tell_tasks(await self._served.apply(kit), kept)
        await self._tell_not_allowed(kit, jobs)
        await kit.scheduler.lifecycle.wait_idle()
        status = await call(kit, SchedulerStatus, "status")
        if status.leading:
            recent = await call(kit, History, "list_executions", limit=_RECENT)
            for sentence in startup_report(recent.history, opened).sentences():
                self._log.say(sentence, "yellow", "WARNING")
        self._tell_standing(status)
        self._log.begin()

    async def _tell_not_allowed(self, kit: Toolkit, jobs: Sequence[JobSummary]) -> None:
        """Warn of kept jobs that would fail at every run, because they were scheduled where more is allowed."""
        found = await not_allowed_here(kit, jobs)
        for problem in found.problems[:_MAX_NAMED]:
            self._log.say(f"Job {problem.replace(': ', ' would fail here: ', 1)}.", "yellow", "WARNING")
        if found.problems:
            which = "it" if len(found.problems) == 1 else f"all {len(found.problems)}"
            self._log.say(f"To allow {which}: {'; '.join(found.exports)}", "yellow", "WARNING")

    def _introduce(self, kept: int) -> None:
        where, user = redacted_text(self._settings.database or "memory: nothing is kept"), f"{Path.home()}/"
        where = f"~/{where.removeprefix(user)}" if where.startswith(user) else where
        jobs = f", {counted(kept, 'job')} kept there" if self._settings.database else ""
        self._log.say(f"agentool {version('agentool')}, in {where}{jobs}", "dim")
        if not (kept or self._served.name):
            self._log.say(f"Nothing to run yet. From another terminal: {command_name()} schedule NAME WHEN TOOL", "dim")
        if self._served.name == EXAMPLE and self._settings.database:
            self._log.say(f"From another terminal: AGENTOOL_DATABASE={where} {command_name()} list", "dim")

    def _tell_tasks(self, applied: Sequence[Applied], kept: Sequence[str]) -> None:
        if not self._served.name:
            return
        self._log.say(f"{counted(len(applied), 'task')} of {self._served.name}:")
        for line in task_lines(applied):
            self._console.print(shown(line), no_wrap=True, overflow="ellipsis")
        others = sorted(set(kept) - {task.job_id for task in applied})
        if others:
            more = f" and {len(others) - _MAX_NAMED} more" if len(others) > _MAX_NAMED else ""
            named = ", ".join(cut_name(job_id, NAME_WIDTH, self._console.width) for job_id in others[:_MAX_NAMED])
            self._log.say(f"Kept, though not in {self._served.name}: {named}{more}. `agentool cancel NAME` ends one.")

    async def _watch(self, kit: Toolkit, stopped: asyncio.Event) -> None:
        while not stopped.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await stopped.wait()
            if self._served.has_changed():
                await self._apply_again(kit)
            try:
                self._tell_standing(await call(kit, SchedulerStatus, "status"))
            except AgenToolError as error:
                self._tell_once(f"The scheduler does not answer: {error}", "red")

    async def _apply_again(self, kit: Toolkit) -> None:
        """Apply the changed file. If it is refused, its tasks stay as they were."""
        name = self._served.name
        try:
            different = [task for task in await self._served.apply_again(kit) if task.mark != "kept"]
        except AgenToolError as error:
            self._log.say(f"{name} was saved and is refused; its tasks stay as they were. {error}", "red", "ERROR")
            return
        self._log.say(f"{name} was saved: {counted(len(different), 'task')} new or changed.")
        for line in task_lines(different):
            self._console.print(shown(line), no_wrap=True, overflow="ellipsis")

    def _tell_standing(self, status: SchedulerStatus) -> None:
        if status.stopped:
            self._tell_once("The scheduler was stopped by operation 'stop': nothing fires. `agentool start` lets it go on.", "yellow")
        elif status.leading:
            self._tell_once("Ctrl-C ends it." if not self._last_told else "This process leads now.", "dim")
        else:
            who = status.leader or "Another process"
            self._tell_once(f"{who} leads this database and runs what is due; this process stands by.", "yellow")

    def _tell_once(self, sentence: str, style: str) -> None:
        leads = ("Ctrl-C ends it.", "This process leads now.")
        if sentence != self._last_told and not (sentence in leads and self._last_told in leads):
            levels: dict[str, Level] = {"yellow": "WARNING", "red": "ERROR"}
            self._log.say(sentence, style, levels.get(style, "INFO"))
            self._last_told = sentence
