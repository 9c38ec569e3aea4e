"""The fields of a composite primary key, together, name one object."""

import pytest
from django.shortcuts import get_object_or_404
from django.urls import path
from rest_framework import permissions, serializers, viewsets

from drf_model_pusher.backends import PrivatePusherBackend
from tests.authorization.asking import ask
from tests.drf_features.models import Place, Seat


class SeatSerializer(serializers.ModelSerializer):
    class Meta:
        model = Seat
        fields = ["place", "number"]


class IsFree(permissions.BasePermission):
    def has_object_permission(self, request, view, obj):
        return obj.text == "free"


class SeatViewSet(viewsets.ReadOnlyModelViewSet):
    queryset = Seat.objects.all()
    serializer_class = SeatSerializer
    permission_classes = [IsFree]

    def get_object(self):
        seat = get_object_or_404(self.get_queryset(), **self.kwargs)
        self.check_object_permissions(self.request, seat)
        return seat


class SeatByTextViewSet(SeatViewSet):
    def get_object(self):
        place, _, number = self.kwargs["seat"].partition("-")
        seat = get_object_or_404(self.get_queryset(), place=place, number=number)
        self.check_object_permissions(self.request, seat)
        return seat


def text_of(self, place_id, number):
    return {"seat": f"{place_id}-{number}"}


@pytest.mark.parametrize(
    "rule",
    [
        {"view_class": SeatViewSet},
        {"view_class": SeatByTextViewSet, "get_view_kwargs": text_of},
    ],
)
def test_follow_the_get_of_the_object(member, rule, settings):
    text = "seat" if "get_view_kwargs" in rule else "place_id>/<number"
    settings.ROOT_URLCONF.urlpatterns.append(
        path(f"seats/<{text}>/", rule["view_class"].as_view({"get": "retrieve"}))
    )
    own = {"serializer_class": SeatSerializer, "channels": ["seats.{place_id}.{number}"]}
    type("Seats", (PrivatePusherBackend,), own | rule)
    place = Place.objects.create(name="here")
    Seat.objects.create(place=place, number=1, text="free")
    Seat.objects.create(place=place, number=2, text="taken")
    answers = [ask(member, f"private-seats.{place.pk}.{number}") for number in (1, 2, 3, "01")]
    assert [each.status_code for each in answers] == [200, 403, 403, 403]
