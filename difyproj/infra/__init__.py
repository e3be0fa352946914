"""Adapters that know Django, Redis or the task engine, but no domain noun."""
