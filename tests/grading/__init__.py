"""Tests of the grader itself: its rules, its reports, and programs it has never seen."""
