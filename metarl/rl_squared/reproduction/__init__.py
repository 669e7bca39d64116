"""The papers' tables and figures, from a name to files."""
