"""From cleaned text to passages."""
