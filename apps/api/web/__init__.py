"""The Web API of apps: one module per group of the contract."""
