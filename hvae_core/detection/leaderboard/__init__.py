"""Leaderboards: every checkpoint and score of a world on a suite of its sets, with paired tests."""
