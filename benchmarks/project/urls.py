from django.urls import include, path
from rest_framework.routers import SimpleRouter

from benchmarks.project import views


def orders(viewset):
    router = SimpleRouter()
    router.register("orders", viewset)
    return include(router.urls)


urlpatterns = [
    path("plain/", orders(views.PlainViewSet)),
    path("hand-written/", orders(views.HandWrittenViewSet)),
    path("floor/", orders(views.FloorViewSet)),
    path("celery/", orders(views.CeleryViewSet)),
    path("tasks/", orders(views.TasksViewSet)),
    path("insert/", orders(views.InsertViewSet)),
    path("package/", orders(views.PackageViewSet)),
]
