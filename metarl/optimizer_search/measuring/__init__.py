"""How fast a search is, and which strategy finds what: searches replayed on tables of rules."""
