"""Views of boards: what each shows to whom is what authorization must follow."""

from django.db.models import Q
from rest_framework import generics, permissions, viewsets

from tests.boards.models import Board, Task
from tests.boards.serializers import BoardSerializer, TaskSerializer


def boards_of(user):
    if user.is_staff:
        return Board.objects.all()
    if not user.is_authenticated:
        return Board.objects.none()
    return Board.objects.filter(Q(owner=user) | Q(members=user), secret=False).distinct()


class BoardViewSet(viewsets.ModelViewSet):
    """The queryset decides."""

    queryset = Board.objects.all()
    serializer_class = BoardSerializer
    permission_classes = [permissions.IsAuthenticated]

    def get_queryset(self):
        return boards_of(self.request.user)


class IsReader(permissions.BasePermission):
    def has_object_permission(self, request, view, obj):
        return boards_of(request.user).filter(pk=obj.pk).exists()


class BoardByPermissionViewSet(viewsets.ReadOnlyModelViewSet):
    """The object permission decides."""

    queryset = Board.objects.all()
    serializer_class = BoardSerializer
    permission_classes = [IsReader]


class BoardBySlugView(generics.RetrieveAPIView):
    """No viewset; the look-up is not the primary key, and has a name of its own in the URL."""

    queryset = Board.objects.all()
    serializer_class = BoardSerializer
    lookup_field = "slug"
    lookup_url_kwarg = "board"

    def get_queryset(self):
        return boards_of(self.request.user)


class StaffBoardViewSet(viewsets.ReadOnlyModelViewSet):
    queryset = Board.objects.all()
    serializer_class = BoardSerializer
    permission_classes = [permissions.IsAdminUser]


class OpenBoardViewSet(viewsets.ReadOnlyModelViewSet):
    """Everybody may GET, whoever they are."""

    queryset = Board.objects.all()
    serializer_class = BoardSerializer
    permission_classes = []


class TaskViewSet(viewsets.ModelViewSet):
    """Nested below a board."""

    queryset = Task.objects.all()
    serializer_class = TaskSerializer

    def get_queryset(self):
        boards = boards_of(self.request.user)
        return Task.objects.filter(board__in=boards, board=self.kwargs["board_pk"])
