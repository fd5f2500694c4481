"""Milestone 1: a server that sends back what it receives, to many clients at once."""
