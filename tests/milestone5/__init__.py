"""The graded checks of milestone 5."""
