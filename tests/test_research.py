"""The recipes of the page for researchers run as they stand on the page."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "book" / "research.md"
RECIPES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf8"), re.M | re.S)


def run(recipe):
    scope = {}
    exec(compile(recipe, PAGE.name, "exec"), scope)  # our own page
    return scope


def test_there_are_recipes_and_each_is_as_short_as_the_page_says():
    assert len(RECIPES) >= 4
    for recipe in RECIPES:
        code = [
            line
            for line in recipe.splitlines()
            if line and not line.startswith(("import ", "from "))
        ]
        assert len(code) <= 5, recipe


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda text: text.splitlines()[-1][:30])
def test_a_recipe_runs(recipe):
    shapes = re.findall(r"^(\w+) = .*# \(([\w, ]+)\)", recipe, re.M)
    scope = run(recipe)
    assert {name for name, _ in shapes} <= set(scope)
    for name, told in shapes:
        sides = told.split(", ")
        assert scope[name].ndim == len(sides), name
        for side, word in zip(scope[name].shape, sides, strict=True):
            assert not word.isdigit() or side == int(word), f"{name} is {scope[name].shape}"
