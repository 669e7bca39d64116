"""Filters, cheap tests that a rule passes before it is trained: what it does to random probes."""
