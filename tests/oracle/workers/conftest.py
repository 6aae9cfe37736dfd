"""Makes `worker_jobs` importable by its bare name, here and in the processes that start afresh."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
