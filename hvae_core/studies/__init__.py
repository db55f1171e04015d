"""Studies: models x sets x scores x seeds in, tables beside the papers' and one page out."""
