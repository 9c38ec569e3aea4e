from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model, login, logout
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.templatetags.static import static
from django.views.decorators.http import require_POST
from drf_model_pusher.views import ModelPusherViewMixin
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView
from rest_framework.viewsets import ModelViewSet, ReadOnlyModelViewSet

from board.models import Board, Card, List
from board.serializers import BoardSerializer, CardSerializer, ListSerializer

PUSHER_JS_CDN = "https://js.pusher.com/8.4/pusher.min.js"


class IsMember(BasePermission):
    def has_object_permission(self, request: Request, view: APIView, board: Board) -> bool:
        return isinstance(request.user, User) and board.members.contains(request.user)


class BoardViewSet(ReadOnlyModelViewSet[Board]):
    """Its answer to a GET is also the answer to those who want to listen."""

    queryset = Board.objects.all()
    serializer_class = BoardSerializer
    permission_classes = [IsAuthenticated, IsMember]

    def get_queryset(self) -> QuerySet[Board]:
        boards = super().get_queryset()
        return boards if self.detail else boards.filter(members=self.request.user.pk)


class OfBoard(GenericAPIView[Any]):
    """Shows what is on boards of the user; with ?board=7, what is on that one."""

    permission_classes = [IsAuthenticated]
    to_board: str

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        queryset = queryset.filter(**{f"{self.to_board}__members": self.request.user})
        board = self.request.query_params.get("board", "")
        return queryset.filter(**{self.to_board: board}) if board.isdecimal() else queryset


class ListViewSet(OfBoard, ReadOnlyModelViewSet[List]):
    queryset = List.objects.all()
    serializer_class = ListSerializer
    to_board = "board"


class CardViewSet(ModelPusherViewMixin, OfBoard, ModelViewSet[Card]):
    queryset = Card.objects.select_related("list")
    serializer_class = CardSerializer
    to_board = "list__board"


def start(request: HttpRequest) -> HttpResponse:
    """The first board of the user, or else whom to be."""
    board = request.user.is_authenticated and request.user.boards.first()
    if board:
        return redirect("board", board.pk)
    people = get_user_model().objects.order_by("id").prefetch_related("boards")
    return render(request, "board/start.html", {"people": people})


@require_POST
def enter(request: HttpRequest) -> HttpResponse:
    """Sign in without a password: this is a demo, for this machine only."""
    user = get_object_or_404(get_user_model(), username=request.POST.get("username", ""))
    login(request, user)
    return redirect("board", Board.objects.earliest("pk").pk)


@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("start")


@login_required
def board(request: HttpRequest, pk: int) -> HttpResponse:
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
