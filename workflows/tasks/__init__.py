"""Jobs of the workflows room."""
