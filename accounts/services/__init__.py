"""Writes of the accounts app: tenants and members, accounts, credentials, default models, keys."""
