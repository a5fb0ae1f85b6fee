"""From a plan to a smaller model: planning, compensation, slicing, previews, searches.

The way of an order: `scores` rank the units, `plans.choice` chooses those that go, `compensation`
refits what stays (`planner` does these three and saves the plan), `slicing` removes,
`evaluation.compare` measures, `export` writes. May import `evaluation` and below.
"""
