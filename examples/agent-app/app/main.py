"""The application: its own routes, and those of the scheduler."""

from pathlib import Path

from fastapi import FastAPI

from agentoolkit.entrypoints.rest import TaskScheduler, scheduler_router
from app import support_bot

app = FastAPI()
app.include_router(scheduler_router, prefix="/api/scheduler", tags=["scheduler"])


@app.on_event("startup")
async def startup():
    """Let the support bot listen, and schedule the tasks."""
    support_bot.start()

    # Load and register tasks from YAML
    scheduler = TaskScheduler()
    yaml_path = Path(__file__).parent.parent / "tasks.yaml"
    if yaml_path.exists():
        tasks = scheduler.load_tasks_from_yaml(str(yaml_path), agent_name="your-agent")
        for task in tasks:
            scheduler.register_task(task)


@app.get("/heard")
async def heard() -> list[str]:
    """Return what the support bot has heard."""
    return support_bot.heard
