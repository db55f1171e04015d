"""Background jobs in worker processes: progress with time left, cancel, one job a digest.

``JobTable`` is what the app keeps; each running job has a process of its own (``worker``), kept
warm between jobs and driven by one thread (``process``).
"""

from hvae_core.common.jobs.job import Job
from hvae_core.common.jobs.table import JobTable

__all__ = ["Job", "JobTable"]
