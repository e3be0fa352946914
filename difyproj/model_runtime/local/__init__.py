"""Models that run in this process: no key, no service, no network."""
