"""One module a container of images: each reads its files behind the same limits."""
