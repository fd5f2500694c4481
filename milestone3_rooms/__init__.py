"""Milestone 3: rooms, whose members talk among themselves."""
