"""Whether a view shows what a channel is about: the very object, or a list of all of them."""

from __future__ import annotations

from types import NoneType
from typing import Any

from django.db.models import Model, QuerySet
from django.db.models.sql import Query

from drf_model_pusher.authorization.refusals import Refused
from drf_model_pusher.authorization.view_rules import ViewRule
from drf_model_pusher.channel_templates import value_of
from drf_model_pusher.lookups import same


def check_subject(rule: ViewRule, view: Any, found: Any) -> None:
    """Refuse what a view shows if it is not what the channel is about.

    Args:
        rule: The view, and what the GET was about.
        view: As it has answered.
        found: The object that it has looked for; None where it has not.
    """
    if not (_is_the_object(rule, view, found) if rule.pin else _is_the_list(rule, view)):
        raise Refused(f"{rule.name} does not show all that the channel is about")


def _is_the_object(rule: ViewRule, view: Any, found: Any) -> bool:
    """Say whether the view shows an object that is the one in the channel's name."""
    if found is None:  # a retrieve() of the project's own need not look for it
        found = view.get_object()
    # A view that does not say its model may show something else under the same key.
    if not isinstance(found, Model) or not same(type(found), rule.model):
        raise Refused(f"the object of {rule.name} is no {rule.model.__name__}")
    # "orders.007" is not the channel of order 7, and no order of another customer's is in
    # "customers.1.orders.7".
    return all(_is(value_of(found, field), given) for field, given in rule.lookups)


def _is_the_list(rule: ViewRule, view: Any) -> bool:
    """Say whether the view's list shows every object that the channel is about.

    A list that shows some would be a licence to hear of the others. A list that is empty proves
    nothing about objects to come, unless it is one of all objects there are.
    """
    queryset = view.filter_queryset(view.get_queryset())
    if not isinstance(queryset, QuerySet) or not same(queryset.model, rule.model):
        raise Refused(f"the list of {rule.name} is no queryset of {rule.model.__name__}")
    if _is_everything(queryset):
        return True
    fields, wanted = [field for field, _ in rule.lookups], dict(rule.lookups)
    if not isinstance(queryset.query.group_by, (bool, NoneType)):
        raise Refused(f"the list of {rule.name} is one of groups, and of no objects")
    if _compares_rows(queryset.query):
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


def _compares_rows(query: Query) -> bool:
    """Say whether a query holds an object or not because of others."""
    return bool(query.distinct_fields or query.where.contains_over_clause)
