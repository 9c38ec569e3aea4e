"""What a user declares for a model, in one line."""

from rest_framework import serializers, viewsets

from drf_model_pusher.backends import PusherBackend
from drf_model_pusher.views import ModelPusherViewMixin


def serializer(model, *fields):
    meta = type("Meta", (), {"model": model, "fields": fields or "__all__"})
    return type("Serializer", (serializers.ModelSerializer,), {"Meta": meta})


def backend(serializer_class, *channels, base=PusherBackend, **attributes):
    attributes |= {"serializer_class": serializer_class, "channels": channels or None}
    return type("Backend", (base,), attributes)


def viewset(model, serializer_class, base=viewsets.ModelViewSet, **attributes):
    attributes = {
        "queryset": model.objects.all(),
        "serializer_class": serializer_class,
        "get_pusher_channels": lambda self: ["all"],
        **attributes,
    }
    return type("View", (ModelPusherViewMixin, base), attributes)


def told(memory):
    return [(event.name, event.channels, event.json()) for event in memory]
