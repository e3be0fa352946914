"""Knowledge for holders of a dataset key."""
