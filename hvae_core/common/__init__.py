"""What every other room needs and none of them is: errors, progress, cache, noise, words, jobs."""
