"""APIs that answer everything with 200, and tell of errors in the body only."""

import pytest
from rest_framework import permissions
from rest_framework.response import Response

from drf_model_pusher.views import AuthorizationView
from tests.authorization.asking import ask, declare
from tests.boards import views

TEMPLATES = ["boards.{pk}", "owners.{owner_id}", "boards"]


def envelope(exc, context):
    return Response({"code": 403})


class ByHandler(views.OpenBoardViewSet):
    """What the setting EXCEPTION_HANDLER does to all views."""

    permission_classes = [permissions.IsAdminUser]

    def get_exception_handler(self):
        return envelope


class ByMethod(views.OpenBoardViewSet):
    permission_classes = [permissions.IsAdminUser]

    def handle_exception(self, exc):
        return envelope(exc, {})


class AtTheEnd(views.OpenBoardViewSet):
    def retrieve(self, request, *args, **kwargs):
        return Response(status=403)

    list = retrieve

    def finalize_response(self, request, response, *args, **kwargs):
        response.status_code = 200
        return super().finalize_response(request, response, *args, **kwargs)


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("view", [ByHandler, ByMethod, AtTheEnd])
def test_an_error_in_an_envelope_grants_nothing(member, board, view, template):
    declare(view, template, lists_queryset=True)
    assert ask(member, "private-" + template.format(**vars(board), pk=board.pk)).status_code == 403


@pytest.mark.parametrize("template", TEMPLATES)
def test_an_answer_in_one_does(member, board, template):
    class View(ByMethod):
        permission_classes = ()

    declare(View, template)
    assert ask(member, "private-" + template.format(**vars(board), pk=board.pk)).status_code == 200


def test_the_endpoint_uses_none(member, settings):
    settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": f"{__name__}.envelope"}
    assert AuthorizationView().settings.EXCEPTION_HANDLER is envelope
    assert ask(member, "private-boards.1").status_code == 403
