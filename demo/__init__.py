"""Scripted conversations of real processes: what each terminal shows, milestone by milestone."""
