"""What strategies propose with: the controller as a writer, breeding, memories, models of the judge."""
