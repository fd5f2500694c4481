"""Speed: our servers beside what a user would take instead (docs/performance.md)."""
