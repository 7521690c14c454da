"""Trained property models: networks, data, fitting, model cards, and the distance from the training data.

Imports point one way, from the bottom up:

1. ``networks``: inputs and features, layers, one file for each kind, the registry of the kinds;
2. ``hyperparameters``: how one network is fitted;
3. ``data``: labels, labelled crystals, strained copies, splits, and the rows that a network is fitted to;
4. ``checkpoints``, ``training``: the fit of one network, epoch by epoch;
5. ``phases``: the fits that a recipe consists of; ``ensembles``: members joined to a fitted model;
6. ``models``: the folder of a model and the property that predicts with it; ``domain``: its training crystals;
7. ``evaluate``: errors; ``refine``: a model that goes on with relaxed candidates;
8. ``cards``, ``card_text``: what a model was fitted to, how, and how well it does;
9. ``workflow``: from tables to the folder of a model.
"""
