"""Servers that ours are measured against, written as their libraries' users write them."""
