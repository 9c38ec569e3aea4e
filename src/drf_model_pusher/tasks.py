"""Where Celery's autodiscovery looks for tasks; without Celery there are none."""

import sys

# Other task queues look here as well.
if "celery" in sys.modules:
    from drf_model_pusher.delivery import celery  # noqa: F401
