"""Tests of the workflows app: the engine, its nodes, and what stands on them."""
