"""Pages, tables, learning curves, and pictures of what an agent does."""
