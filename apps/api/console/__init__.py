"""The Console API of apps: one module per group of the contract."""
