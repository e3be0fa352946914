"""Jobs of the house itself: mail, retention."""
