from django.urls import path
from django.views import View

urlpatterns = [path("parcels/<int:pk>/", View.as_view(), name="parcel-detail")]
