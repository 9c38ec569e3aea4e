"""The routes of a project that authorizes channels of boards."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from tests.boards import views

router = SimpleRouter()
router.register("boards", views.BoardViewSet, "board")
router.register("by-permission", views.BoardByPermissionViewSet, "by-permission")
router.register("staff", views.StaffBoardViewSet, "staff")
router.register("open", views.OpenBoardViewSet, "open")
router.register(r"nested/(?P<board_pk>[^/.]+)/tasks", views.TaskViewSet, "task")

urlpatterns = [
    path("pusher/", include("drf_model_pusher.urls")),
    path("by-slug/<slug:board>/", views.BoardBySlugView.as_view()),
    *router.urls,
]
