"""Tests of the apps app."""
