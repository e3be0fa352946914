"""Pure leaf helpers that every room may use; nothing here imports a framework or another room."""
