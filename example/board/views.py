from django.conf import settings
from django.contrib.auth import get_user_model, login, logout
from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, redirect, render
from django.templatetags.static import static
from django.views.decorators.http import require_POST
from drf_model_pusher.views import ModelPusherViewMixin
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.viewsets import ModelViewSet, ReadOnlyModelViewSet

from board.models import Board, Card, List
from board.serializers import BoardSerializer, CardSerializer, ListSerializer

PUSHER_JS_CDN = "https://js.pusher.com/8.4/pusher.min.js"


class IsMember(BasePermission):
    def has_object_permission(self, request, view, board):
        return board.members.contains(request.user)


class BoardViewSet(ReadOnlyModelViewSet):
    """Its answer to a GET is also the answer to those who want to listen."""

    queryset = Board.objects.all()
    serializer_class = BoardSerializer
    permission_classes = [IsAuthenticated, IsMember]

    def get_queryset(self):
        boards = super().get_queryset()
        return boards if self.detail else boards.filter(members=self.request.user)


class OfBoard:
    """Shows what is on boards of the user; with ?board=7, what is on that one."""

    permission_classes = [IsAuthenticated]

    def filter_queryset(self, queryset):
        queryset = queryset.filter(**{f"{self.to_board}__members": self.request.user})
        board = self.request.query_params.get("board", "")
        return queryset.filter(**{self.to_board: board}) if board.isdecimal() else queryset


class ListViewSet(OfBoard, ReadOnlyModelViewSet):
    queryset = List.objects.all()
    serializer_class = ListSerializer
    to_board = "board"


class CardViewSet(ModelPusherViewMixin, OfBoard, ModelViewSet):
    queryset = Card.objects.select_related("list")
    serializer_class = CardSerializer
    to_board = "list__board"


def start(request):
    """The first board of the user, or else whom to be."""
    board = request.user.is_authenticated and request.user.boards.first()
    if board:
        return redirect("board", board.pk)
    people = get_user_model().objects.order_by("id").prefetch_related("boards")
    return render(request, "board/start.html", {"people": people})


@require_POST
def enter(request):
    """Sign in without a password: this is a demo, for this machine only."""
    user = get_object_or_404(get_user_model(), username=request.POST.get("username", ""))
    login(request, user)
    return redirect("board", Board.objects.first().pk)


@require_POST
def leave(request):
    logout(request)
    return redirect("start")


@login_required
def board(request, pk):
    """The page, and all that its JavaScript must know to connect; the secret stays here.

    Strangers are given the page as well, and nothing of the board: the API refuses them, and so
    do its channels.
    """
    return render(
        request,
        "board/board.html",
        {
            "pusher_js": static("pusher-js/pusher.min.js")
            if settings.STATICFILES_DIRS
            else PUSHER_JS_CDN,
            "config": {
                "key": settings.PUSHER_KEY,
                "board": pk,
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
