"""Finds out what this process's compiled code depends on, without importing torch."""
