"""Small classifiers p(y | x) for the scores that need labels, kept apart from the models."""
