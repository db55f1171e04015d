"""How q(z|x) is read from an image: bottom-up, top-down, both ways."""
