"""Milestone 4: files, straight from one user to another."""
