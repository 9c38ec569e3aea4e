"""The Django project of the tests."""

SECRET_KEY = "for tests only"
USE_TZ = True
ROOT_URLCONF = "tests.urls"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_model_pusher",
    "drf_model_pusher.server",
    "drf_model_pusher.outbox",
    "tests.shop",
    "tests.archive",
    "tests.boards",
    "tests.drf_features",
    "tests.depot",
]
DATABASES = {
    alias: {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    for alias in ("default", "other")
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The credentials of the protocol's published test vectors.
PUSHER_APP_ID = "3"
PUSHER_KEY = "278d425bdf160c739803"
PUSHER_SECRET = "7ad3773142a6692b25b8"

# What a test pushes has left when the view returns; tests of other deliveries name them.
DRF_MODEL_PUSHER_DELIVERY = "drf_model_pusher.delivery.InlineDelivery"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.SessionAuthentication",
        "rest_framework.authentication.TokenAuthentication",
    ],
}
