"""Knowledge for members of the workspace."""
