"""Documents, tables, charts and pages of what was run."""
