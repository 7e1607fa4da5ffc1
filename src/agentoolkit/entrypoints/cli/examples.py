"""An example for the help of each command."""

from __future__ import annotations

_EXAMPLES = {
    "serve": "agentool serve tasks.yaml --allow my_package",
    "run": "agentool run nightly --allow my_package --json",
    "schedule": "agentool schedule standup 'every weekday at 9am' notification message='Stand up!' -z Europe/Berlin",
    "plan": "agentool tasks plan tasks.yaml --allow my_package",
    "apply": "agentool tasks apply tasks.yaml --allow my_package --prune",
    "schema": "agentool tasks schema > tasks.schema.json",
    "list": "agentool list 'status:failed tag:nightly' --output csv",
    "update": "agentool update nightly --schedule 'every day at 4am' --timeout 60",
    "retry": "agentool retry --query 'status:failed since:24h'",
    "audit": "agentool audit nightly",
    "events": "agentool events 'scheduler.task.*' --follow",
    "queues": "agentool queues results",
    "dead-letters": "agentool dead-letters results --requeue-all",
    "approvals-list": "agentool approvals list",
    "approve": "agentool approvals approve a1b2c3",
    "deny": "agentool approvals deny a1b2c3 --reason 'not on a Sunday'",
    "notification": "agentool scheduler schedule notification 'in 5 minutes' --message 'Hello from scheduler!'",
    "mcp_tool": "agentool scheduler schedule mcp_tool 'tomorrow at 2pm' --server-name time --tool-name get_current_time",
    "shell_command": "agentool scheduler schedule shell '0 2 * * *' --command 'backup.sh --all'",
    "plugin_command": "agentool scheduler schedule plugin 'every hour' --plugin-name queue --command-name list_queues",
    "sequence": "agentool scheduler schedule sequence '0 2 * * *' --task-definitions '[{\"type\": \"notification\", …}]'",
    "agent": "agentool scheduler schedule agent 'every weekday at 9' --agent assistant --prompt 'Summarise the news'",
    "function": "agentool scheduler schedule function '5 minutes' --function reports:build --allow reports",
    "http": "agentool scheduler schedule http 'every hour' --url https://example.org/health",
    "info": "agentool info nightly",
    "pause": "agentool pause nightly --until 2030-01-07 --reason holidays",
    "resume": "agentool resume nightly",
    "cancel": "agentool cancel nightly",
    "backfill": "agentool backfill nightly 2030-01-01 2030-01-08",
    "history": "agentool history nightly --status failed",
    "show": "agentool show nightly@2030-01-01T03:00:00+00:00",
    "logs": "agentool logs nightly -n 3",
    "cancel-execution": "agentool cancel-execution nightly@2030-01-01T03:00:00+00:00 --reason 'takes too long'",
    "preview": "agentool preview 'every weekday at 9am' -z Europe/Berlin",
    "simulate": "agentool simulate tasks.yaml --from 2030-03-30 --to 2030-04-01",
    "status": "agentool status --json",
    "doctor": "agentool doctor",
    "tools": "agentool tools shell",
    "mcp": "agentool mcp --http --port 8765",
    "config": "agentool mcp config cursor --keep",
    "install": "agentool service install --allow my_package",
    "uninstall": "agentool service uninstall",
    "service-status": "agentool service status",
    "export": "agentool export -o everything.jsonl",
    "crontab": "crontab -l | agentool import crontab - --shell > tasks.yaml",
    "scheduler-tasks": "agentool import scheduler-tasks ~/.memory/scheduler_tasks.json > tasks.yaml",
    "jsonl": "agentool import jsonl everything.jsonl",
}


def example_of(command: str) -> str | None:
    """Return what stands below a command's help."""
    return f"Example: {_EXAMPLES[command]}" if command in _EXAMPLES else None
