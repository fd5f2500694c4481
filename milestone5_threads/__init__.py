"""Milestone 5: the same chat on threads and JSON, with accounts."""
