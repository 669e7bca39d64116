"""What a step in a maze costs beside VizDoom's."""
