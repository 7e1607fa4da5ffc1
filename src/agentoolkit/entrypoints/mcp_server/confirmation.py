"""Confirm a call by a person, or by a second call with a code."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from agentool.errors import AgenToolError

_CODE_LENGTH = 6


class ConfirmationNeeded(AgenToolError):
    """A call needs a confirmation. Nothing was done yet.

    Args:
        question: The question for a person.
        code: The ``confirm`` of a second call, if no person can be asked.
        declined: The answer after a no.
    """

    correctable = True

    def __init__(self, question: str, code: str, declined: str) -> None:
        super().__init__(question)
        self.code = code
        self.declined = declined


@dataclass(frozen=True, slots=True)
class Codes:
    """Makes codes that only this process can issue. A code holds for one subject in one version."""

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def code(self, *subject: object) -> str:
        """Return the code of a subject: the caller, the action, the thing and its version."""
        return hmac.new(self.key, repr(subject).encode(), hashlib.sha256).hexdigest()[:_CODE_LENGTH]

    def check(self, given: str | None, question: str, declined: str, *subject: object) -> None:
        """Refuse a wrong or missing code.

        Raises:
            ConfirmationNeeded: The code is missing or wrong.
        """
        code = self.code(*subject)
        if given is None or not hmac.compare_digest(given.encode(), code.encode()):
            raise ConfirmationNeeded(question, code, declined)
