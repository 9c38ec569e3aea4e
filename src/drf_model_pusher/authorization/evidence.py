"""What an answer shows: the very object that a channel is about, or a list of all of them.

DRF's serializers leave a trace in what they render, by which the answer itself tells its object.
What tells none proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import NoneType
from typing import Any

from django.db.models import Model, QuerySet
from django.db.models.sql import Query
from rest_framework import generics, mixins, pagination
from rest_framework.utils.serializer_helpers import ReturnDict, ReturnList

from drf_model_pusher.authorization.asking import Answer
from drf_model_pusher.authorization.refusals import Refused
from drf_model_pusher.authorization.subjects import COMPOSITE, Subject
from drf_model_pusher.channel_templates import value_of
from drf_model_pusher.lookups import is_unique, same

#: What decides which objects a page has, and which pages there are.
_PAGES = {
    pagination.PageNumberPagination: ("paginate_queryset", "get_page_number"),
    pagination.LimitOffsetPagination: ("paginate_queryset", "get_offset"),
    pagination.CursorPagination: ("paginate_queryset", "decode_cursor"),
}
#: What leads from the queryset of a view to its pages, where pages do not tell their queryset.
_LISTS: dict[str, tuple[Any, ...]] = {
    "list": (mixins.ListModelMixin.list,),
    "paginate_queryset": (generics.GenericAPIView.paginate_queryset,),
    "get": (None, generics.ListAPIView.get, generics.ListCreateAPIView.get),
}


def check_answer(answer: Answer, subject: Subject) -> None:
    """Refuse an answer that does not show what the channel is about.

    Raises:
        Refused: It shows something else, or not all of it, or does not tell.
        DeclarationError: The channel's fields are not about what it shows.
    """
    rendered = list(_rendered(getattr(answer.response, "data", None)))
    objects = [each.serializer.instance for each in rendered if isinstance(each, ReturnDict)]
    if subject.pin is not None or (subject.model is None and objects):
        if not any(_is_the_object(found, subject) for found in objects):
            told = "another object" if objects else "no object, by any serializer of DRF's"
            raise Refused(f"{subject.source} shows {told}")
        return
    lists = [each for each in rendered if isinstance(each, ReturnList)]
    if subject.lists_queryset and not _has_list(answer.response.data):
        raise Refused(f"{subject.source} answers with no list")
    shown = _shown(answer.view, subject, lists)
    if not _is_all(shown, subject.on(shown.model)):
        raise Refused(f"{subject.source} does not show all that the channel is about")


def _rendered(data: Any, depth: int = 3) -> Iterator[Any]:
    """Go through what serializers have rendered, also in the envelopes that APIs put around it."""
    if isinstance(data, (ReturnDict, ReturnList)):
        if not hasattr(data.serializer, "initial_data"):  # else it is about what was sent
            yield data
    elif isinstance(data, Mapping) and depth:
        for value in data.values():
            yield from _rendered(value, depth - 1)


def _has_list(data: Any) -> bool:
    """Say whether there is a list in an answer or its envelope: an error is none."""
    values = data.values() if isinstance(data, Mapping) else [data]
    return any(isinstance(each, list) for each in values)


def _is_the_object(found: Any, subject: Subject) -> bool:
    """Say whether this is the object in the channel's name, in the very spelling."""
    if not isinstance(found, Model):
        return False
    subject = subject.on(type(found))
    model: Any = subject.model
    # A view may show something else under the same key.
    if subject.pin is None or not isinstance(found, model._meta.concrete_model):
        return False
    if not all(_is(value_of(found, field), given) for field, given in subject.lookups):
        return False
    if subject.pin is COMPOSITE or is_unique(model, subject.pin):
        return True
    # A look-up that names one object of the view's may name others', who share the channel.
    others: QuerySet[Any] = QuerySet(model).filter(**dict(subject.lookups))
    return not others.exclude(pk=found.pk).exists()


def _shown(view: Any, subject: Subject, lists: list[Any]) -> QuerySet[Any]:
    """Return the queryset whose objects a list shows."""
    if subject.lists_queryset:
        shown = view.filter_queryset(view.get_queryset())
    elif len(lists) != 1:
        raise Refused(f"{subject.source} does not tell, by a serializer, which list it shows")
    else:
        rendered, found = lists[0], lists[0].serializer.instance
        shown = found if isinstance(found, QuerySet) else _paged(view, subject, found)
        # One that was rendered is there already: this makes no query.
        if not all(rendered) or len(rendered) != len(found):
            raise Refused(f"{subject.source} has a serializer that leaves objects out")
    if not isinstance(shown, QuerySet) or (subject.model and not same(shown.model, subject.model)):
        raise Refused(f"the list of {subject.source} is no queryset of its model")
    return shown


def _paged(view: Any, subject: Subject, found: Any) -> Any:
    """Return the queryset of which a list shows a page, and on other pages the rest."""
    paginator: Any = getattr(view, "paginator", None)
    known = next((each for each in _PAGES if isinstance(paginator, each)), None)
    if known is not None and all(
        getattr(type(paginator), name) is getattr(known, name) for name in _PAGES[known]
    ):
        if known is pagination.PageNumberPagination:
            if len(found) == len(paginator.page):
                return paginator.page.paginator.object_list
        elif getattr(view, "action", None) in (None, "list") and all(
            getattr(type(view), name, None) in methods for name, methods in _LISTS.items()
        ):
            return view.filter_queryset(view.get_queryset())
    raise Refused(f"{subject.source} pages in a way of its own: see `lists_queryset`")


def _is_all(queryset: QuerySet[Any], subject: Subject) -> bool:
    """Say whether a list shows every object that the channel is about.

    A list that shows some would be a licence to hear of the others. A list that is empty proves
    nothing about objects to come, unless it is one of all objects there are.
    """
    if _is_everything(queryset):
        return True
    fields, wanted = [field for field, _ in subject.lookups], dict(subject.lookups)
    if not isinstance(queryset.query.group_by, (bool, NoneType)):
        raise Refused(f"the list of {subject.source} is one of groups, and of no objects")
    if queryset.query.distinct_fields or queryset.query.where.contains_over_clause:
        # "The latest of each" is another one among fewer: these are to be chosen first.
        queryset = queryset.model._base_manager.using(queryset.db).filter(
            pk__in=queryset.values("pk")
        )
    shown = queryset.filter(**wanted).order_by()
    first = next(iter(shown.values_list(*fields or ["pk"])[:1]), None)
    if first is None or not all(map(_is, first, wanted.values())):
        return False
    # By no manager: even the base manager may be one of the project's that hides objects.
    all_there_are: QuerySet[Any] = QuerySet(queryset.model, using=queryset.db).filter(**wanted)
    return not all_there_are.exclude(pk__in=shown.values("pk")).exists()


def _is(value: Any, given: Any) -> bool:
    """Say whether an object's value is the one of a channel's name, in the very spelling."""
    return bool(str(value) == given if isinstance(given, str) else value == given)


def _is_everything(queryset: QuerySet[Any]) -> bool:
    """Say whether a queryset is sure to hold each object that there is, or will be."""
    query = queryset.query
    return (
        type(query) is Query
        and not query.where
        and not query.is_sliced
        and not query.combinator
        and not query.distinct_fields
        and not query.extra_tables
        and query.group_by is None
        and len(query.alias_map) <= 1
        and not query.is_empty()
    )
