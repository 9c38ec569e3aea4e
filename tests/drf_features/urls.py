"""Routes of what is linked to, and of a view that may fail after its push."""

from django.http import HttpResponse
from django.urls import path
from rest_framework import generics
from rest_framework.exceptions import ValidationError

from drf_model_pusher.views import ModelPusherViewMixin
from tests.drf_features.declared import serializer
from tests.drf_features.models import Place


class PlacesView(ModelPusherViewMixin, generics.CreateAPIView):
    queryset = Place.objects.all()
    serializer_class = serializer(Place)

    def create(self, request):
        response = super().create(request)
        if "fail" in request.data:
            raise ValidationError
        return response


urlpatterns = [
    path("countries/<pk>/", lambda request, pk: HttpResponse(), name="country-detail"),
    path("places/", PlacesView.as_view()),
]
