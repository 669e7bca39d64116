"""What a step costs: in a maze beside ViZDoom's, in another library's world beside its own loop."""
