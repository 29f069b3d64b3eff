"""Chooses the kind of classifier that the daemon uses, and keeps in the model who wanted it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from face_det.classifiers import CLASSIFIERS, Recipe
from face_det.enrolment.stand_in import photos_needed
from face_det.recognition import (
    ORIGINAL_KIND,
    Model,
    ModelCard,
    assemble_model,
    choose_model_path,
    named_kind,
)
from face_det.training import TEMPLATE_RECIPE

AUTO = "auto"
FIRST_RECIPE = TEMPLATE_RECIPE
"""The recipe to train if there is no model yet."""

_WANTED_BY = {
    "asked": "asked for",
    "config": "set as classifier in config.json",
    "present_model": "the kind of the previous model",
    "default": "the default for a first model",
}


@dataclass(frozen=True, slots=True)
class RecipeChoice:
    """The kind of classifier to use, and who wanted it: asked, config, present_model or default."""

    recipe: str
    wanted_by: str


def choose_recipe(
    configured: str, present: Model | None, asked: Sequence[str] = (), model_path: Path | None = None
) -> RecipeChoice:
    """Choose the recipe of the model in use.

    It is what the configuration says or, with "auto", that of the model in use; for a first model, the best
    one. If kinds were asked for, it is one of these: of several, the one that it would be anyway, or the one
    that has the name of `model_path`, or the first.

    >>> choose_recipe("auto", None), choose_recipe("svm", None, ["xgb"]).wanted_by
    (RecipeChoice(recipe='template', wanted_by='default'), 'asked')
    """
    choices = [RecipeChoice(configured, "config")] if configured != AUTO else []
    if present is not None:
        choices.append(RecipeChoice(present.recipe, "present_model"))
    if asked:
        named = None if model_path is None else named_kind(model_path)
        wanted = [RecipeChoice(kind, "asked") for kind in asked]
        choices = [choice for choice in choices if choice.recipe in asked and len(asked) > 1]
        choices += [choice for choice in wanted if choice.recipe == named] + wanted
    return [*choices, RecipeChoice(FIRST_RECIPE, "default")][0]


def record_choice(model: Model, choice: RecipeChoice, before: Model | None) -> Model:
    """Return the model with a card that says who wanted it and which other kind it replaced."""
    kind_before = "" if before is None else _kind(before)
    replaced = "" if kind_before == model.card.kind else kind_before
    card = replace(model.card, wanted_by=choice.wanted_by, replaced=replaced)
    return replace(assemble_model(model.classifier, card, model.verifier), place=model.place)


def place_model(model: Model, choice: RecipeChoice, before: Model | None, model_path: Path) -> Model:
    """Return the model with a card that says who wanted it, and with the place of its file to be."""
    place = str(choose_model_path(model_path, model.recipe))
    return replace(record_choice(model, choice, before), place=place)


def explain_recipe(card: ModelCard) -> str:
    """Say which kind a model is, who wanted it, and why it is another one than that; "" for older models.

    >>> card = ModelCard("nearest", "svm", {}, ("Ann",), None, None, wanted_by="config", replaced="svm")
    >>> explain_recipe(card)
    'nearest stands in for svm (set as classifier in config.json) until each person has 5 photos (3 are \
enough for face-det train); the previous model was svm'
    """
    if card.wanted_by not in _WANTED_BY:
        return ""
    by = _WANTED_BY[card.wanted_by]
    before = f"; the previous model was {card.replaced}" if card.replaced else ""
    if card.kind == card.recipe:
        return f"{card.kind}, {by}{before}"
    recipe: Recipe = CLASSIFIERS.create(card.recipe)
    enough, at_train = recipe.photos_each, photos_needed(card.recipe)
    sooner = f" ({at_train} are enough for face-det train)" if at_train < enough else ""
    stands_in = f"{card.kind} stands in for {card.recipe} ({by})"
    return f"{stands_in} until each person has {enough} photos{sooner}{before}"


def recipe_as_json(card: ModelCard) -> dict[str, str | None]:
    """Return the same as JSON values: the kind wanted, by whom, the kind replaced if it was another, and why.

    >>> recipe_as_json(ModelCard("svm", "svm", {}, ("Ann",), None, None, wanted_by="asked"))
    {'wanted': 'svm', 'wanted_by': 'asked', 'replaced': None, 'why': 'svm, asked for'}
    """
    return {
        "wanted": card.recipe,
        "wanted_by": card.wanted_by or None,
        "replaced": card.replaced or None,
        "why": explain_recipe(card),
    }


def _kind(model: Model) -> str:
    return model.recipe if model.card.kind == ORIGINAL_KIND else model.card.kind
