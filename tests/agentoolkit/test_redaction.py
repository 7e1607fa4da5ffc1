"""Secrets are known by their names, in data and in text alike, and looking for them costs no more than the text is long."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentool.caller import Caller
from agentoolkit.redaction import is_secret, redacted, redacted_text
from agentoolkit.system.scheduler.audit import snapshot
from agentoolkit.system.scheduler.job_records import job_to_record
from agentoolkit.system.scheduler.jobs import Job, JobState, Policies
from agentoolkit.system.scheduler.schedules import Schedule

NAMES = [
    "password",
    "DB_PASSWORD",
    "userPassword",
    "passwords",
    "PGPASSWORD",
    "passphrase",
    "pwd",
    "passwd",
    "mySecret",
    "secrets",
    "api_key",
    "apiKey",
    "API-KEY",
    "APIKEY",
    "x-api-key",
    "access_key",
    "private_key",
    "secret_key",
    "aws_secret_access_key",
    "signing_key",
    "encryptionKey",
    "access_token",
    "MYTOKEN",
    "tokens",
    "refresh_tokens",
    "Authorization",
    "Proxy-Authorization",
    "clientSecret",
    "credential",
    "credentials",
    "cookie",
    "Cookie",
    "Set-Cookie",
    "password_hash",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_is_known_by_its_name(name: str):
    """In any way of writing it."""
    assert is_secret(name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["{}=S3CR3T", "{}: S3CR3T", '"{}": "S3 CR3T"', "'{}' = 'S3 CR3T'", "?a=b&{}=S3CR3T", "{} => S3CR3T"])
def test_text_hides_what_data_hides(name: str, form: str):
    """What has such a name is hidden in text as well."""
    assert "CR3T" not in redacted_text(form.format(name))


@pytest.mark.parametrize("name", ["max_tokens", "input_tokens", "key", "keyboard", "author", "passenger", "monkey", "secretary", "cook"])
def test_what_only_looks_alike_is_no_secret(name: str):
    """Token counts and keyboards are shown, in data and in text."""
    assert (is_secret(name), redacted_text(f"{name}: shown")) == (False, f"{name}: shown")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("login with token=abc, then on", "login with token=[redacted], then on"),
        ("Authorization: Bearer abc.def failed", "Authorization: [redacted] failed"),
        ("Authorization: Token abc failed", "Authorization: [redacted] failed"),
        ("authorization: AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=c, Signature=d", "authorization: [redacted]"),
        ('Authorization: Digest username="a b", response="c", uri=d then', "Authorization: [redacted] then"),
        ('{"Authorization": "Bearer abc", "n": 1}', '{"Authorization": [redacted], "n": 1}'),
        ("Cookie: session=abc; theme=def", "Cookie: [redacted]"),
        ("token: bearer abc on", "token: [redacted] on"),
        ("token_error: password = abc", "token_error: [redacted]"),
    ],
)
def test_what_is_hidden_ends_where_the_secret_does(text: str, expected: str):
    """A header's scheme and parameters belong to it, what is said after them does not."""
    assert redacted_text(text) == expected


@pytest.mark.parametrize("name", ["--token", "--password", "--api-key", "-password"])
def test_the_option_of_a_command_hides_what_comes_after_it(name: str):
    """In a list of arguments, and where a command is one text."""
    assert redacted(["curl", name, "S3CR3T", "--verbose", "shown"]) == ["curl", name, "[redacted]", "--verbose", "shown"]
    assert redacted({"command": [name, "S3CR3T"], "n": [1, None]}) == {"command": [name, "[redacted]"], "n": [1, None]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mysql --password S3CR3T shop", "mysql --password [redacted] shop"),
        ("mysql --password 'S3 CR3T' shop", "mysql --password [redacted] shop"),
        ('["--token", "S3CR3T", "x"]', '["--token", [redacted], "x"]'),
        ('["--token","S3CR3T"]', '["--token",[redacted]]'),
        ("call --token --verbose", "call --token --verbose"),
        ("call --max-tokens 5", "call --max-tokens 5"),
    ],
)
def test_options_within_text(text: str, expected: str):
    """What comes after the option of a secret is hidden, and nothing else."""
    assert redacted_text(text) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:secret@h/db?email=a@b", "postgresql://u:[redacted]@h/db?email=a@b"),
        ("https://u:p/w@h/", "https://u:[redacted]@h/"),
        ("https://u:p@ss@h/", "https://u:[redacted]@h/"),
        ("postgresql://u:a/b@h/db", "postgresql://u:[redacted]@h/db"),
        ("amqp://u:a?b@h", "amqp://u:[redacted]@h"),
        ("redis://:abc@h", "redis://:[redacted]@h"),
        ("https://ghp_abc@github.com/x", "https://[redacted]@github.com/x"),
        ("ssh://0123456789abcdef0123@h", "ssh://[redacted]@h"),
        ("https://0123456789abcdef0123:x@h", "https://[redacted]:[redacted]@h"),
    ],
)
def test_a_url_keeps_no_secret(url: str, expected: str):
    """Its password, whatever is in it, and a token in the place of a user's name."""
    assert redacted_text(f"see {url} or") == f"see {expected} or"


@pytest.mark.parametrize(
    "url", ["ssh://git@github.com", "http://localhost:8080/a@b", "https://h/@user", "https://h?email=a@b", "http://[::1]/"]
)
def test_a_url_without_a_secret_is_shown(url: str):
    """A user's name, a port and an address in a path are no secrets."""
    assert redacted_text(url) == url


@pytest.mark.parametrize(
    "text",
    [
        "sent with Bearer hush.1234 to it",
        "curl -H 'Bearer hush-0123456789'",
        '["--header", "bearer hush_token_9"]',
        "--auth=Bearer hush" + "x" * 30,
    ],
)
def test_a_bearer_token_is_hidden_wherever_it_is(text: str):
    """A token needs no header's name before it."""
    assert "hush" not in redacted_text(text)


@pytest.mark.parametrize(
    "text", ["Bearer authentication is needed", "the bearer of this", "bearer token", "a bearer. Then more", "Bearer authentication. Then"]
)
def test_bearer_as_a_word_is_shown(text: str):
    """What follows is no token."""
    assert redacted_text(text) == text


def test_redaction_leaves_what_was_given_alone():
    """Redaction returns a copy."""
    given = {"password": "x", "list": [{"token": "y"}]}
    redacted(given)
    assert given == {"password": "x", "list": [{"token": "y"}]}


@pytest.mark.parametrize(
    "data",
    [
        {"password": 'ab"SECRET'},
        {"token": "it's \\ SECRET \\"},
        {"user": {"api_key": 'a"b"SECRET', "name": "n"}},
        {"authorization": 'Bearer "SECRET"'},
    ],
)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_secrets_in_json_are_hidden_whatever_they_hold(data: object, depth: int):
    """Quotes and backslashes in a value end nothing, in JSON, in JSON within JSON, and once more."""
    text: object = data
    for _ in range(depth):
        text = json.dumps(text)
    assert "SECRET" not in redacted_text(f"got {text} and more")
    assert redacted_text(f"got {text} and more").endswith("and more")


HOSTILE = ["a-", "-a", "a", "token", "a://", "x://y:", "x://a:b", 'token="', "token='\" ", "token=bearer ", "token ", "cookie: a b=", "a@"]
HOSTILE += ['password: \\"a', "\\", '\\"', 'token\\"', 'password="\\', 'password=\\"\\\\"', "authorization: \\'a\\"]
HOSTILE += ["token: a,", "authorization: bearer ", 'cookie="', "cookie: a;b=\"'", "://u:1@", "password\t", "pass://word="]
_MIN_SECONDS = 0.02
"""Below it, what is measured is the machine."""


@pytest.mark.parametrize("piece", HOSTILE)
def test_four_times_the_text_is_no_more_than_four_times_the_work(piece: str):
    """No text makes the search for secrets take more than in proportion to its length."""
    once, fourfold = (_seconds((piece * 20_000)[:size]) for size in (5_000, 20_000))
    assert fourfold < max(8 * once, _MIN_SECONDS)


def _seconds(text: str) -> float:
    """Return the time of this thread alone that redaction takes, the best of three."""
    return min(_once(text) for _ in range(3))


def _once(text: str) -> float:
    before = time.thread_time()
    redacted_text(text)
    return time.thread_time() - before


TOLD = st.sampled_from(["plain", "password=S3CR3T", "https://maria:S3CR3T@example.org", "2026-12-25T09:00:00Z", "--token"])
DATA = st.dictionaries(st.sampled_from(["token", "count", "command"]), TOLD | st.integers() | st.none() | st.lists(TOLD, max_size=3))
TUPLES = st.lists(TOLD, max_size=3).map(tuple)
CALLERS = st.builds(Caller, name=TOLD, lineage=TUPLES)
GATES = st.fixed_dictionaries({"agentool_name": TOLD, "input_data": DATA})


@given(
    st.builds(
        Job,
        **dict.fromkeys(("job_id", "job_name", "agentool_name", "description", "result_queue", "error_queue"), TOLD),
        input_data=DATA,
        tags=TUPLES,
        schedule=st.builds(Schedule, kind=st.just("cron"), text=st.just("0 9 * * *"), timezone=st.just("UTC"), jitter_key=TOLD),
        policies=st.builds(Policies, gate=st.none() | GATES, retry_on=TUPLES, concurrency_key=st.none() | TOLD, queue=st.none() | TOLD),
        created_at=st.just(datetime(2026, 12, 25, tzinfo=UTC)),
        created_by=CALLERS,
        changed_by=st.none() | CALLERS,
    )
)
def test_the_audit_hides_of_a_job_what_is_hidden_of_its_record(job: Job):
    """It passes over the names of a job's own fields, and hides neither less nor more for that."""
    assert snapshot(job, JobState()) == {**redacted(job_to_record(job)), "state": "active", "reason": ""}
