"""The Lab: runs of the one training loop that are watched and turned while they go on."""
