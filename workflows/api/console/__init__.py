"""The Console API of graphs: one module per group of the contract."""
