"""What every ledger, store of approvals and store of conversations owes: in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from pydantic_ai.conversation import Conversation
from pydantic_ai.conversation_store import ConversationConflict, ConversationStore, InMemoryConversationStore
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_ai.usage import RunUsage

from agentoolkit.agent_settings import AgentRules, Budget, RunLimits
from agentoolkit.agents.approval_store import Approval, ApprovalStore, CallBegun, MemoryApprovals, SqlApprovals, WaitingCall, decided
from agentoolkit.agents.conversations import SqlConversationStore
from agentoolkit.agents.errors import BudgetReached, BudgetReserved
from agentoolkit.agents.ledger import Ledger, RunEntry, Spent
from agentoolkit.agents.ledger_in_database import SqlLedger
from agentoolkit.agents.ledger_in_memory import MemoryLedger
from agentoolkit.database.database import Database
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
RUN = RunEntry("r1", "a", "maria", "j", "2026-11-29", 100, Decimal("0.25"))


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, nothing_left: None) -> AsyncGenerator[Database | None]:
    """A database that holds nothing; none for what lives in memory."""
    if request.param == "memory":
        yield None
        return
    place = str(request.getfixturevalue("sqlite_database" if request.param == "sqlite" else "postgres_url"))
    opened = Database(dialect_for(place, "normal"), MIGRATIONS)
    yield opened
    await opened.close()


@pytest.fixture
def ledger(database: Database | None) -> Ledger:
    return MemoryLedger() if database is None else SqlLedger(database)


@pytest.fixture
def approvals(database: Database | None) -> ApprovalStore:
    return MemoryApprovals() if database is None else SqlApprovals(database)


@pytest.fixture
def conversations(database: Database | None) -> ConversationStore:
    return InMemoryConversationStore() if database is None else SqlConversationStore(database)


# The ledger.


async def test_what_is_booked_is_spent(ledger: Ledger) -> None:
    """By the agent for the owner on the day, and for the job; a cost that is not known counts as none."""
    await ledger.book(RUN)
    await ledger.book(replace(RUN, run_id="r2", cost=None))
    for other in (replace(RUN, agent="b"), replace(RUN, owner="paul", job_id="k"), replace(RUN, day="2026-11-28", job_id="k")):
        await ledger.book(replace(other, run_id=f"r{other}"))
    day, job = await ledger.spent("a", "maria", "2026-11-29", "j", NOON)
    assert (day, job) == (Spent(2, 200, Decimal("0.25")), Spent(2, 200, Decimal("0.25")))


async def test_a_booking_takes_the_place_of_its_reservation(ledger: Ledger) -> None:
    """What a run has reserved at its worst is replaced by what it has used."""
    rules = AgentRules(per_day=Budget(tokens=1_000, cost=Decimal(1)))
    reserved = await ledger.reserve(replace(RUN, tokens=0, cost=None), rules, RunLimits(tokens=400, cost=Decimal("0.5")), NOON)
    assert (reserved.tokens, reserved.cost) == (400, Decimal("0.5"))
    await ledger.book(RUN)
    assert (await ledger.spent("a", "maria", "2026-11-29", "", NOON))[0] == Spent(1, 100, Decimal("0.25"))


@pytest.mark.parametrize(
    ("budget", "limits", "told"),
    [
        (Budget(tokens=450), RunLimits(tokens=200), "400 of 450 tokens are used, and one run may use 200"),
        (Budget(cost=Decimal("1.1")), RunLimits(cost=Decimal("0.2")), r"\$1 of \$1.1 are used, and one run may use \$0.2"),
        (Budget(runs=4), RunLimits(), "4 of 4 runs are used"),
    ],
)
async def test_of_many_runs_at_once_only_those_that_fit_are_reserved(ledger: Ledger, budget: Budget, limits: RunLimits, told: str) -> None:
    """Reading what is spent and reserving is one step, so no two runs share what is left."""
    for number in range(4):
        await ledger.book(replace(RUN, run_id=f"b{number}"))
    rules = AgentRules(per_job=budget, limits=limits)
    entries = [replace(RUN, run_id=f"n{number}", tokens=0, cost=None) for number in range(5)]
    refused = await asyncio.gather(*(ledger.reserve(entry, rules, limits, NOON) for entry in entries), return_exceptions=True)
    assert all(isinstance(error, BudgetReached) for error in refused)
    with pytest.raises(BudgetReached, match=told):
        await ledger.reserve(entries[0], rules, limits, NOON)
    roomy = AgentRules(per_job=Budget(runs=6))
    answers = await asyncio.gather(*(ledger.reserve(entry, roomy, RunLimits(), NOON) for entry in entries), return_exceptions=True)
    assert sum(isinstance(answer, RunEntry) for answer in answers) == 2


@pytest.mark.parametrize(
    ("budget", "limits", "told"),
    [
        (Budget(tokens=450), RunLimits(tokens=300), "100 of 450 tokens are used, 300 are reserved, and one run may use 300"),
        (Budget(tokens=450), RunLimits(tokens=None), "100 of 450 tokens are used, 350 are reserved"),
        (Budget(cost=Decimal(1)), RunLimits(cost=Decimal("0.5")), r"\$0.25 of \$1 are used, \$0.5 are reserved, and one run may use \$0.5"),
    ],
)
async def test_what_is_reserved_is_not_used(ledger: Ledger, budget: Budget, limits: RunLimits, told: str) -> None:
    """A run that fits beside what is used is told that runs under way hold the budget; once they have ended it is reserved."""
    rules = AgentRules(per_day=budget)
    await ledger.book(RUN)
    first, second = (replace(RUN, run_id=name, reserved_until=NOON + timedelta(hours=1)) for name in "ab")
    await ledger.reserve(first, rules, limits, NOON)
    with pytest.raises(BudgetReserved, match=told):
        await ledger.reserve(second, rules, limits, NOON)
    await ledger.book(replace(first, tokens=0, cost=Decimal(0), reserved_until=None))
    assert (await ledger.reserve(second, rules, limits, NOON)).run_id == "b"


async def test_what_a_run_reserved_that_was_cut_off_counts_as_used(ledger: Ledger) -> None:
    """After its time, so that nobody waits for it, and no crash makes a budget larger."""
    rules, limits = AgentRules(per_job=Budget(tokens=450)), RunLimits(tokens=300)
    await ledger.reserve(replace(RUN, reserved_until=NOON + timedelta(hours=1)), rules, limits, NOON)
    with pytest.raises(BudgetReached, match="300 of 450 tokens are used") as refused:
        await ledger.reserve(replace(RUN, run_id="r2"), rules, limits, NOON + timedelta(hours=2))
    assert not isinstance(refused.value, BudgetReserved)


@pytest.mark.parametrize("which", ["per_day", "per_job"])
async def test_a_limit_above_the_budget_is_what_the_budget_has_left(ledger: Ledger, which: str) -> None:
    """Else no run would ever begin."""
    rules = AgentRules.model_validate({which: Budget(tokens=450, cost=Decimal(1))})
    await ledger.book(RUN)
    reserved = await ledger.reserve(replace(RUN, run_id="r2"), rules, RunLimits(tokens=200_000, cost=Decimal(5)), NOON)
    assert (reserved.tokens, reserved.cost) == (350, Decimal("0.75"))


async def test_sums_outlast_the_runs(ledger: Ledger) -> None:
    """After months the budget of a job holds all of its runs; a run that is replaced counts once."""
    for day in range(60):
        run = replace(RUN, run_id=f"r{day}", day=(NOON + timedelta(days=day)).strftime("%Y-%m-%d"))
        await ledger.reserve(run, AgentRules(), RunLimits(tokens=500), NOON + timedelta(days=day))
        await ledger.book(run)
    later = NOON + timedelta(days=59)
    day, job = await ledger.spent("a", "maria", later.strftime("%Y-%m-%d"), "j", later)
    assert (day.tokens, job.runs, job.tokens, job.cost) == (100, 60, 6_000, Decimal(15))
    assert len(await ledger.used("2026-11-29", "maria", 100)) == 60


async def test_a_ledger_in_memory_keeps_no_old_runs() -> None:
    """What it keeps of a run of last month is a share in a sum."""
    ledger = MemoryLedger()
    for day in range(60):
        for number in range(10):
            run = replace(RUN, run_id=f"{day}-{number}", day=(NOON + timedelta(days=day)).strftime("%Y-%m-%d"))
            await ledger.reserve(run, AgentRules(), RunLimits(), NOON + timedelta(days=day))
    assert len(ledger._runs) < 100


# Approvals.


def waiting(number: int = 1, minutes: int = 0) -> Approval:
    call = WaitingCall(call_id="c", tool="pay", arguments={"amount": 5, "to": "Jörg"})
    ids = {"approval_id": f"apr-{number}", "owner": "maria", "agent": "a", "job_id": "j", "execution_id": f"j@{number}"}
    created = NOON + timedelta(minutes=minutes)
    return Approval(**ids, conversation_id="c", calls=(call,), created_at=created, deadline=created + timedelta(days=1))


async def test_an_approval_comes_back_as_it_was_kept(approvals: ApprovalStore) -> None:
    """One of the same id that is added again changes nothing; one that nobody added is not there."""
    await approvals.add(waiting())
    await approvals.add(replace(waiting(), owner="paul"))
    assert await approvals.get("apr-1") == waiting()
    assert await approvals.get("apr-2") is None


async def test_those_that_wait_are_listed_the_oldest_first(approvals: ApprovalStore) -> None:
    """As many as were asked for, without those that are decided."""
    for number, minutes in ((1, 2), (2, 1), (3, 3), (4, 0)):
        await approvals.add(waiting(number, minutes))
    await approvals.decide(decided(waiting(4), "denied", "maria", NOON))
    assert [found.approval_id for found in await approvals.pending(None, 2)] == ["apr-2", "apr-1"]


async def test_others_that_wait_hide_none_of_an_owners(approvals: ApprovalStore) -> None:
    """However many of others are older: an owner's list has the owner's own."""
    for number in range(3):
        await approvals.add(replace(waiting(number), owner="paul"))
    await approvals.add(waiting(9, minutes=5))
    assert [found.approval_id for found in await approvals.pending("maria", 2)] == ["apr-9"]


async def test_of_many_attempts_at_an_approved_call_one_begins_it(approvals: ApprovalStore) -> None:
    """The others are told that it was begun and, once that is known, how it ended."""
    begun = await asyncio.gather(*(approvals.begin_call("apr-1", "c") for _ in range(8)))
    assert sorted(begun, key=lambda each: each.first) == [CallBegun(first=False)] * 7 + [CallBegun(first=True)]
    await approvals.end_call("apr-1", "c", "paid")
    assert await approvals.begin_call("apr-1", "c") == CallBegun(first=False, outcome="paid")
    assert (await approvals.begin_call("apr-2", "c")).first


async def test_of_many_decisions_at_once_one_counts(approvals: ApprovalStore) -> None:
    """The others are told that it was decided already."""
    await approvals.add(waiting())
    outcomes = [decided(waiting(), "approved", f"p{number}", NOON, {"c": {"amount": number}}) for number in range(8)]
    written = await asyncio.gather(*map(approvals.decide, outcomes))
    kept = await approvals.get("apr-1")
    assert (written.count(True), kept) == (1, outcomes[written.index(True)])
    assert not await approvals.decide(decided(waiting(9), "denied", "x", NOON))


# Conversations.


def said(*texts: str) -> list[ModelMessage]:
    """Messages in turn: a user's, a model's."""
    return [
        ModelResponse(parts=[TextPart(text)]) if place % 2 else ModelRequest(parts=[UserPromptPart(text)])
        for place, text in enumerate(texts)
    ]


async def test_a_conversation_goes_on_where_it_was_saved(conversations: ConversationStore) -> None:
    """With its messages, its usage, and only for its owner."""
    await conversations.save(Conversation(conversation_id="c", messages=said("hi", "hello"), usage=RunUsage(requests=1)), scope="maria")
    loaded = await conversations.load("c", scope="maria")
    assert loaded is not None
    assert [part.content for message in loaded.messages for part in message.parts] == ["hi", "hello"]  # type: ignore[union-attr]
    assert loaded.usage.requests == 1
    assert await conversations.load("c", scope="paul") is None


async def test_a_run_is_given_the_newest_messages(conversations: ConversationStore) -> None:
    """As many as the limit says."""
    await conversations.save(Conversation(conversation_id="c", messages=said("1", "2", "3", "4")))
    loaded = await conversations.load("c", limit=2)
    assert loaded is not None
    assert [part.content for message in loaded.messages for part in message.parts] == ["3", "4"]  # type: ignore[union-attr]


async def test_a_stale_conversation_is_not_saved(conversations: ConversationStore) -> None:
    """Two that were loaded at once: the second to be saved is refused, and the first one stays."""
    await conversations.save(Conversation(conversation_id="c", messages=said("1", "2")))
    one, two = await conversations.load("c"), await conversations.load("c")
    assert one is not None
    assert two is not None
    one.messages += said("3", "4")
    two.messages += said("5", "6")
    await conversations.save(one)
    with pytest.raises(ConversationConflict):
        await conversations.save(two)


async def test_what_is_deleted_is_gone(conversations: ConversationStore) -> None:
    """And is listed no longer."""
    for name in ("c", "d"):
        await conversations.save(Conversation(conversation_id=name, messages=said("1", "2")), scope="maria")
    await conversations.delete("c", scope="maria")
    assert await conversations.load("c") is None
    assert [record.conversation_id for record in await conversations.list_conversations(scope="maria")] == ["d"]
