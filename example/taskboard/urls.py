from django.urls import include, path
from rest_framework.routers import SimpleRouter

from board.views import CardViewSet, ListViewSet, board

router = SimpleRouter()
router.register("lists", ListViewSet)
router.register("cards", CardViewSet)

urlpatterns = [
    path("", board),
    path("api/", include(router.urls)),
]
