from django.conf import settings
from django.shortcuts import render
from django.templatetags.static import static
from drf_model_pusher.views import ModelPusherViewMixin
from rest_framework.viewsets import ModelViewSet, ReadOnlyModelViewSet

from board.models import Card, List
from board.serializers import CardSerializer, ListSerializer

CHANNEL = "board"
PUSHER_JS_CDN = "https://js.pusher.com/8.4/pusher.min.js"


class ListViewSet(ReadOnlyModelViewSet):
    queryset = List.objects.all()
    serializer_class = ListSerializer


class CardViewSet(ModelPusherViewMixin, ModelViewSet):
    queryset = Card.objects.all()
    serializer_class = CardSerializer

    def get_pusher_channels(self):
        return [CHANNEL]


def board(request):
    """The page, and all that its JavaScript must know to connect; the secret stays here."""
    return render(
        request,
        "board/board.html",
        {
            "pusher_js": static("pusher-js/pusher.min.js")
            if settings.STATICFILES_DIRS
            else PUSHER_JS_CDN,
            "config": {
                "key": settings.PUSHER_KEY,
                "channel": CHANNEL,
                "options": {
                    "cluster": "mt1",  # pusher-js asks for one, though a host makes it unused
                    "wsHost": settings.PUSHER_HOST,
                    "wsPort": settings.PUSHER_PORT,
                    "forceTLS": settings.PUSHER_SSL,
                    "enabledTransports": ["ws"],
                },
            },
        },
    )
