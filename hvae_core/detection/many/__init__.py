"""Images by the million: scored part by part, by one process or many; results read where they lie.

``layout`` is what both halves share: the folder of a run.
"""
