"""Layouts, walls and body, view and map: mazes seen through the agent's eyes."""
