"""Send notifications: to the log, to listeners, to the desktop, or through the application's services.

For notifications of failures, schedule one ``after any failed``.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, SecretStr

from agentool.agentool import AgenTool, create_agentool
from agentool.base import BaseOperationInput
from agentool.context import RunContext
from agentool.core.injector import Injector
from agentool.errors import ConfigurationError, InvalidInput, Refusals, did_you_mean, excerpt, text_of
from agentool.secrets_here import secrets_here, without_texts
from agentoolkit.actions.notification_output import NotificationFailed, NotificationOutput, arrived_before
from agentoolkit.actions.processes import Command, run_command
from agentoolkit.actions.services import NotificationType, Services
from agentoolkit.endings import cut_short
from agentoolkit.interrupts import is_interrupt, raise_from_loop
from agentoolkit.listeners import check_listener
from agentoolkit.settings import NotificationSettings
from agentoolkit.text import in_one_line

logger = logging.getLogger("agentoolkit.notifications")
logger.setLevel(logging.INFO)  # the root logger's level, by default WARNING, would drop notifications

BUILT_IN_TARGETS = ("log", "event", "desktop")
MAX_MESSAGE_LENGTH = 10_000
"""Characters."""
_LEVELS: Mapping[NotificationType, int] = {
    "info": logging.INFO,
    "success": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_DESKTOP_VARIABLES = ("PATH", "HOME", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
_DESKTOP_SECONDS = 5.0


class NotificationInput(BaseOperationInput):
    """Input of the notification AgenTool."""

    operation: Literal["send"]
    message: str | None = Field(None, min_length=1, max_length=MAX_MESSAGE_LENGTH, description="The text")
    title: str | None = Field(None, max_length=200, description="A headline")
    notification_type: NotificationType | None = Field("info", description="The kind of message")
    targets: list[str] | None = Field(None, description="'log' (the default), 'event', 'desktop', and names of configured services")


class Notification(NamedTuple):
    """A notification, as listeners get it."""

    message: str
    title: str
    notification_type: NotificationType


Listener = Callable[[Notification], Awaitable[None] | None]


class Notifier:
    """Sends notifications to targets.

    Args:
        services: Apprise URLs by service name.

    Raises:
        ConfigurationError: A service has the name of a built-in target.
    """

    def __init__(self, services: Mapping[str, SecretStr] | None = None) -> None:
        if taken := sorted(set(BUILT_IN_TARGETS) & set(services or {})):
            problem = f"A service cannot be named {taken[0]!r}, which is a built-in target."
            raise ConfigurationError(problem, field="notification_services", remedy="Choose another name.")
        self.services = Services(services or {})
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call a sync or async listener with every notification to the target ``event``. Return a function that unsubscribes it.

        Raises:
            ConfigurationError: It cannot be called with a notification.
        """
        check_listener(listener)
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def check(self, target: str) -> None:
        """Refuse an unknown target.

        Raises:
            InvalidInput: No target has this name, or notify-send is not installed.
            ConfigurationError: See `Services.check`.
        """
        if target == "desktop":
            _notify_send()
        elif target in self.services.names:
            self.services.check(target)
        elif target not in BUILT_IN_TARGETS:
            remedy = f"{did_you_mean(target, [*BUILT_IN_TARGETS, *self.services.names])} Services: see the setting `notification_services`."
            raise InvalidInput(f"Unknown target {excerpt(target)}.", field="targets", value=target, remedy=remedy)

    async def deliver(self, notification: Notification, targets: Sequence[str]) -> NotificationOutput:
        """Send a notification to every target. A failing target does not stop the others.

        A further attempt of the same execution, in any process, skips targets where the notification has arrived.

        Raises:
            CancelledError: It was cancelled; its ``result`` names the targets where the notification has arrived.
        """
        arrived = arrived_before(notification.message, targets)
        output = NotificationOutput(message=notification.message, delivered=[target for target in targets if target in arrived])
        pending = [target for target in targets if target not in arrived]
        for place, target in enumerate(pending):
            try:
                await self._send(target, notification)
            except asyncio.CancelledError as error:
                output.failed |= dict.fromkeys(pending[place:], "cut short")
                raise cut_short(error, output) from None
            except Exception as error:
                output.failed[target] = text_of(error) or type(error).__name__
            else:
                output.delivered.append(target)
        return output

    async def _send(self, target: str, notification: Notification) -> None:
        message, title, kind = notification
        if target == "log":
            level = _LEVELS[kind]
            told = f"{title}: {message}" if title else message
            text = in_one_line(without_texts(told, secrets_here.get()))  # an application's own log shows it too
            if logger.hasHandlers():
                logger.log(level, "%s", text)
            else:
                # Python's own last resort shows warnings only.
                sys.stderr.write(f"{logging.getLevelName(level)}: {text}\n")
        elif target == "event":
            await self._call_listeners(notification)
        elif target == "desktop":
            await _show_on_desktop(notification)
        else:
            await self.services.send(target, message, title, kind)

    async def _call_listeners(self, notification: Notification) -> None:
        failed: list[BaseException] = []
        for listener in tuple(self._listeners):
            try:
                if inspect.isawaitable(answer := listener(notification)):
                    await answer
            except BaseException as error:  # SystemExit too: no listener may keep the notification from the others
                if isinstance(error, asyncio.CancelledError) and (task := asyncio.current_task()) and task.cancelling():
                    raise
                if is_interrupt(error):
                    raise_from_loop(error)
                failed.append(error)
        if failed:
            raise RuntimeError(str(failed[0]) or type(failed[0]).__name__) from failed[0]


async def notification_send(
    ctx: RunContext[Notifier],
    message: str,
    title: str = "",
    notification_type: NotificationType = "info",
    targets: list[str] | None = None,
) -> NotificationOutput:
    """Send a notification to every target. A failing target does not stop the others.

    Raises:
        NotificationFailed: A target failed. A retry, in any process, sends to the failed targets only.
        InvalidInput: A target does not exist; nothing was sent.
    """
    wanted = list(dict.fromkeys(targets or ["log"]))
    for target in wanted:
        ctx.deps.check(target)
    output = await ctx.deps.deliver(Notification(message, title, notification_type), wanted)
    if output.failed:
        reasons = "; ".join(f"{target}: {reason}" for target, reason in output.failed.items())
        arrived = f" It did arrive at {', '.join(output.delivered)}." if output.delivered else ""
        error = NotificationFailed(f"It was not delivered to {reasons}.{arrived}", field="targets", value=list(output.failed))
        error.result = output
        raise error
    return output


def check_send(notifier: Notifier, call: NotificationInput) -> None:
    """Refuse unknown targets without sending anything."""
    refusals = Refusals()
    for target in call.targets or ():
        with refusals.collect():
            notifier.check(target)
    refusals.raise_all()


def create_notification_agent(
    settings: NotificationSettings | Mapping[str, SecretStr] | None = None, *, injector: Injector | None = None
) -> AgenTool[Notifier]:
    """Create the AgenTool ``notification`` and register it.

    Args:
        settings: Settings, or only a mapping of Apprise URLs by service name; by default no services.
        injector: The injector to register in; by default the current one.
    """
    services = settings.services if isinstance(settings, NotificationSettings) else settings
    return create_agentool(
        "notification",
        NotificationInput,
        {"send": notification_send},
        deps=Notifier(services),
        description="Sends notifications to the log, to listeners, to the desktop, or through the application's services.",
        precheck=check_send,
        examples=({"operation": "send", "message": "Backup complete", "notification_type": "success"},),
        injector=injector,
    )


async def _show_on_desktop(notification: Notification) -> None:
    message, title, kind = notification
    urgency = "critical" if kind == "error" else "normal"
    ended = await run_command(
        Command(
            executable=_notify_send(),
            arguments=[f"--urgency={urgency}", "--", title or kind.capitalize(), message],
            cwd=Path.home(),
            env={name: os.environ[name] for name in _DESKTOP_VARIABLES if name in os.environ},
            stdin=None,
            timeout=_DESKTOP_SECONDS,
            output_limit=1_000,
        )
    )
    if ended.exit_code != 0:
        raise RuntimeError(f"notify-send did not show it: {ended.stderr.strip() or f'exit code {ended.exit_code}'}")


def _notify_send() -> Path:
    if found := shutil.which("notify-send"):
        return Path(found)
    remedy = "Install libnotify, or choose another target."
    raise InvalidInput(
        "The program notify-send is not installed, so nothing can be shown on a desktop.", field="targets", value="desktop", remedy=remedy
    )
