from django.urls import include, path
from rest_framework.routers import SimpleRouter

from board import views

router = SimpleRouter()
router.register("boards", views.BoardViewSet)
router.register("lists", views.ListViewSet)
router.register("cards", views.CardViewSet)

urlpatterns = [
    path("", views.start, name="start"),
    path("enter", views.enter, name="enter"),
    path("leave", views.leave, name="leave"),
    path("boards/<int:pk>/", views.board, name="board"),
    path("api/", include(router.urls)),
    path("pusher/", include("drf_model_pusher.urls")),
]
