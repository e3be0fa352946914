"""The Console API of accounts: one module per group of the contract."""
