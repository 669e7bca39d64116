"""What a step in a maze costs beside ViZDoom's."""
