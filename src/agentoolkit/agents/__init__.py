"""What LLM agents need: tools for scheduling, conversations, budgets and approvals."""
