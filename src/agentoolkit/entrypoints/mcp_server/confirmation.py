"""Calls that happen only after a person, or a second call with a code, has said so."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from agentool.errors import AgenToolError

_CODE_LENGTH = 6


class ConfirmationNeeded(AgenToolError):
    """Nothing was done yet.

    Args:
        question: What a person is asked.
        code: What a second call gives as ``confirm`` where nobody can be asked.
        declined: What is so if the answer is no.
    """

    correctable = True

    def __init__(self, question: str, code: str, declined: str) -> None:
        super().__init__(question)
        self.code = code
        self.declined = declined


@dataclass(frozen=True, slots=True)
class Codes:
    """Makes codes that can only be learnt from an answer of this process, and hold for one thing as it is."""

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def code(self, *subject: object) -> str:
        """Return the code for doing something to a thing in its present version."""
        return hmac.new(self.key, repr(subject).encode(), hashlib.sha256).hexdigest()[:_CODE_LENGTH]

    def check(self, given: str | None, question: str, declined: str, *subject: object) -> None:
        """Go on only with the right code.

        Raises:
            ConfirmationNeeded: No code was given, or another one.
        """
        code = self.code(*subject)
        if given is None or not hmac.compare_digest(given.encode(), code.encode()):
            raise ConfirmationNeeded(question, code, declined)
