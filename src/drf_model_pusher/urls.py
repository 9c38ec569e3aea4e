"""The routes of the package: ``path("pusher/", include("drf_model_pusher.urls"))``."""

from __future__ import annotations

from django.urls import path

from drf_model_pusher.webhooks import ChannelExistenceWebhook

app_name = "drf_model_pusher"

urlpatterns = [
    path("webhook", ChannelExistenceWebhook.as_view(), name="webhook"),
]
