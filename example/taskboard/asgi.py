"""The project and Pusher's protocol on one port."""

import os

from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskboard.settings")
# It loads the settings, which the next import needs.
django_application = get_asgi_application()

from drf_model_pusher.server.asgi import with_pusher_server  # noqa: E402

# Django serves static files by itself only while developing.
application = with_pusher_server(ASGIStaticFilesHandler(django_application))
