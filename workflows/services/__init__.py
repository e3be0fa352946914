"""Writes and reads of graphs, runs, forms, variables and triggers."""
