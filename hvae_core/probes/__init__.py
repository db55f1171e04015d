"""What a model knows: its pictures, layers, samples, attacks and maps."""
