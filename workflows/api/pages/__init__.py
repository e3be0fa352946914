"""Pages that people are led to without an account."""
