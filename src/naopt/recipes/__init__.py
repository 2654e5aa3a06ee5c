"""Cheaper recipes of training: how well what they measure stands for the full training, and what they cost.

``naopt.proxies`` are another thing: numbers that a network has before it is trained at all.
"""

from naopt.recipes.budget import Budget, Pick, budget
from naopt.recipes.figures import RecipeFigures, Trained, recipe_figures
from naopt.recipes.recipe import Recipe
from naopt.recipes.study import proxy
from naopt.recipes.table import PROXY, RecipeRow, RecipeTable, read_proxy

__all__ = [
    "PROXY",
    "Budget",
    "Pick",
    "Recipe",
    "RecipeFigures",
    "RecipeRow",
    "RecipeTable",
    "Trained",
    "budget",
    "proxy",
    "read_proxy",
    "recipe_figures",
]
