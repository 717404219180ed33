"""Simulated users: a drawn world, users who see only their target, and many sessions as data. Called by cli, evaluate."""
