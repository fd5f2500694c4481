"""Milestone 2: users with names, private messages, messages to all, in frames."""
