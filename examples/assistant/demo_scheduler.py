"""The scheduler of an assistant: tasks by words, and what becomes of them as events."""

import argparse
import asyncio

from agentoolkit.client import get_scheduler
from agentoolkit.system.events import EventMessage, get_event_bus
from agentoolkit.wiring import Toolkit


async def basic() -> None:
    """Schedule, list and cancel."""
    scheduler = get_scheduler()
    reminder = await scheduler.schedule_notification(message="Meeting reminder", schedule_spec="in 30 minutes")
    await scheduler.schedule_notification(message="Daily standup time!", schedule_spec="0 9 * * *", task_name="standup")
    await scheduler.cancel_task(reminder)
    for task in await scheduler.list_tasks(status="scheduled"):
        print(f"{task['job_name']}: {task['schedule']}, next {task['next_run']}")


async def full() -> None:
    """Wait for a notification, and print each event of it."""
    done = asyncio.Event()

    async def handle(event: EventMessage) -> None:
        print(f"{event.event_type}: task {event.data['task_id']}")
        if event.event_type == "scheduler.task.success":
            done.set()

    event_bus = get_event_bus()
    event_bus.subscribe("scheduler.task.*", handle)
    await get_scheduler().schedule_notification(message="Hello from scheduler!", schedule_spec="in 1 second", task_name="hello")
    await asyncio.wait_for(done.wait(), 30)


async def main() -> None:
    """Run the demonstration."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--basic", action="store_true", help="without waiting for anything")
    only_basic = parser.parse_args().basic
    async with Toolkit():
        await basic()
        if not only_basic:
            await full()


if __name__ == "__main__":
    asyncio.run(main())
