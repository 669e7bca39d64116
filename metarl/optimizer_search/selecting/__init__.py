"""From the many rules of a search to the few that are claimed."""
