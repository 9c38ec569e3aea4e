"""The viewset in each of its variants, found by the same patterns: none is nearer than another."""

from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from benchmarks.project import views

VARIANTS = {
    "plain": views.PlainViewSet,
    "hand-written": views.HandWrittenViewSet,
    "floor": views.FloorViewSet,
    "celery": views.CeleryViewSet,
    "tasks": views.TasksViewSet,
    "read": views.ReadViewSet,
    "insert": views.InsertViewSet,
    "package": views.PackageViewSet,
}


def served(actions):
    by_variant = {variant: viewset.as_view(actions) for variant, viewset in VARIANTS.items()}

    @csrf_exempt
    def view(request, variant, **kwargs):
        return by_variant[variant](request, **kwargs)

    return view


urlpatterns = [
    path("<str:variant>/orders/", served({"get": "list", "post": "create"})),
    path(
        "<str:variant>/orders/<int:pk>/",
        served({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
    ),
]
