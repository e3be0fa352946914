"""Django's SQLite backend whose threads queue for the one writer's place instead of polling for it."""
