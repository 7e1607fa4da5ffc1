"""Run an agent that is a program, such as ``claude -p {prompt}``, from an argument list, never through a shell."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from agentool.errors import ConfigurationError
from agentoolkit.actions.processes import Command, run_command
from agentoolkit.agent_settings import AgentRules, AgentSource
from agentoolkit.agents.errors import AgentFailed, AgentTimeout
from agentoolkit.agents.registry import AgentTask, RunSummary

PROMPT = "{prompt}"
_BASIC = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER")
"""Variables that every program inherits."""
_TAIL = 500


@dataclass(frozen=True, slots=True)
class CommandRunner:
    """One program. ``{prompt}`` in an argument is replaced by the prompt; without it the prompt is the standard input."""

    source: AgentSource
    counts_tokens = False

    def is_priced(self) -> bool:
        """Return False: a program's cost is unknown here."""
        return False

    def takes_batches(self) -> bool:
        """Return False: a program has no batches."""
        return False

    async def run(self, name: str, rules: AgentRules, task: AgentTask) -> RunSummary:
        """See `Runner.run`."""
        # The instructions come first, so that no prompt can begin with a dash and be read as an option.
        prompt = f"{task.instructions}\n\n{task.prompt}".replace("\0", "")
        try:
            ended = await run_command(self._command(prompt))
        except OSError as error:
            raise AgentFailed(f"The program of agent {name!r} cannot be started: {error.strerror}.") from error
        if ended.exit_code is None:
            raise AgentTimeout(f"The program of agent {name!r} did not end within {self.source.seconds:g} s.")
        if ended.exit_code != 0:
            tail = ended.tail(_TAIL)
            raise AgentFailed(f"The program of agent {name!r} ended with exit code {ended.exit_code}: {tail or 'it wrote nothing'}")
        return RunSummary(output=ended.stdout.strip(), model=self.source.command[0])

    def _command(self, prompt: str) -> Command:
        source = self.source
        program, *arguments = source.command
        found = shutil.which(program)
        if found is None:
            raise ConfigurationError(f"There is no program {program!r}.", remedy="Name an installed program, with its path.")
        given = [argument.replace(PROMPT, prompt) for argument in arguments]
        takes_argument = any(PROMPT in argument for argument in arguments)
        return Command(
            executable=Path(found),
            arguments=given,
            cwd=source.folder or Path.cwd(),
            env={name: os.environ[name] for name in (*_BASIC, *source.variables) if name in os.environ},
            stdin=None if takes_argument else prompt.encode(),
            timeout=source.seconds,
            output_limit=source.output_limit,
        )
