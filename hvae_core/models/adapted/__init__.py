"""A network of the user's own behind the one interface: marks, and what reads them."""
