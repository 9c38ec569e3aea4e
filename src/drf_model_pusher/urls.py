"""The routes of the package: ``path("pusher/", include("drf_model_pusher.urls"))``."""

from __future__ import annotations

from django.urls import path

from drf_model_pusher.authorization.views import AuthorizationView, UserAuthenticationView
from drf_model_pusher.webhooks.views import ChannelExistenceWebhook

app_name = "drf_model_pusher"

urlpatterns = [
    path("auth", AuthorizationView.as_view(), name="auth"),
    path("user-auth", UserAuthenticationView.as_view(), name="user-auth"),
    path("webhook", ChannelExistenceWebhook.as_view(), name="webhook"),
]
