"""The Django app: finds backends, registers checks."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register
from django.utils.module_loading import autodiscover_modules

from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import SettingError


class DrfModelPusherConfig(AppConfig):
    """Configuration of ``drf_model_pusher``."""

    name = "drf_model_pusher"
    verbose_name = "DRF model pusher"

    def ready(self) -> None:
        """Import the backends of every installed app."""
        from drf_model_pusher import log, observers
        from drf_model_pusher.checks.backends import check_backends
        from drf_model_pusher.checks.channels import check_channels
        from drf_model_pusher.checks.deliveries import check_tasks, check_threads
        from drf_model_pusher.checks.leaks import check_leaks
        from drf_model_pusher.checks.occupancy import check_occupancy
        from drf_model_pusher.checks.renderers import check_renderers
        from drf_model_pusher.checks.settings import check_settings
        from drf_model_pusher.checks.views import check_views
        from drf_model_pusher.pushing import log_wrong_setting

        register(check_settings)
        register(check_backends)
        register(check_renderers)
        register(check_threads)
        register(check_tasks)
        register(check_occupancy)
        register(check_channels)
        register(check_views)
        register(check_leaks)
        log.connect()
        observers.follow_registry()
        try:
            file = app_settings.DRF_MODEL_PUSHER_BACKENDS_FILE
        except SettingError as error:  # a check tells of it, once all apps are ready
            log_wrong_setting(error)
            return
        autodiscover_modules(file.removesuffix(".py").replace("/", "."))
