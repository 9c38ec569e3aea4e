"""Routes of a nested router."""

from django.urls import include, path
from rest_framework import viewsets
from rest_framework_nested import routers

from drf_model_pusher.views import ModelPusherViewMixin
from tests.drf_features.declared import serializer
from tests.drf_features.models import City, Country


class CountryViewSet(viewsets.ReadOnlyModelViewSet):
    queryset = Country.objects.all()
    serializer_class = serializer(Country)


class CityViewSet(ModelPusherViewMixin, viewsets.ModelViewSet):
    serializer_class = serializer(City, "id", "name")

    def get_queryset(self):
        return City.objects.filter(country=self.kwargs["country_pk"])

    def get_pusher_channels(self):
        return [f"countries.{self.kwargs['country_pk']}.cities"]

    def perform_create(self, serializer):
        serializer.validated_data["country_id"] = self.kwargs["country_pk"]
        super().perform_create(serializer)


router = routers.SimpleRouter()
router.register("countries", CountryViewSet)
cities = routers.NestedSimpleRouter(router, "countries", lookup="country")
cities.register("cities", CityViewSet, basename="city")
urlpatterns = [path("", include(router.urls)), path("", include(cities.urls))]
