"""Trained property models: networks, data, fitting, model cards, and the distance from the training data.

Imports point one way, from the bottom up:

1. ``networks``: inputs and features, one file for each kind of network, and the registry of kinds;
2. ``hyperparameters``: how one network is fitted;
3. ``data``: labels, labelled crystals, strained copies, splits, and training rows; ``options``: how a model is fitted;
4. ``checkpoints``, ``training``: the fit of one network, epoch by epoch;
5. ``phases``: the fits that a recipe consists of; ``ensembles``: members joined to a fitted model;
6. ``card_shape``: what a card must hold; ``models``: a folder and what predicts with it; ``domain``: training crystals;
7. ``correction``: relaxed samples correct a model; ``relaxed``, ``evaluate``: errors; ``refine``: further training;
8. ``cards``, ``card_text``: a model's data, training and errors; ``unfinished``: a training that goes on;
9. ``workflow``: from tables to the folder of a model.
"""
