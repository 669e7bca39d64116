"""Agents beside their rivals on the same tasks with the same luck."""
