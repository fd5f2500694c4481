"""The graded checks of this milestone: one function per observable promise."""
