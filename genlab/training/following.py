"""A process of a training that is not its first: it lends process 0 the gradients of its share of every batch, and writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from genlab.datasets import load_dataset
from genlab.errors import GenlabError
from genlab.models import create_model
from genlab.settings import TrainSettings, validate
from genlab.training.config import refuse_other
from genlab.training.ranks import Ranks
from genlab.training.state import check_players
from genlab.training.turns import Moment, Turns

if TYPE_CHECKING:
    from genlab.datasets import Dataset
    from genlab.models.contract import Model


def follow(ranks: Ranks, model: Model | None = None, data: Dataset | None = None, asked: Mapping[str, Any] | None = None) -> Path:
    """Lend gradients until process 0 calls home.

    Args:
        ranks: This process among all.
        model: The model that this process was told to train, or None to make process 0's.
        data: Its data, or None to load process 0's.
        asked: Its settings of training, which must not contradict process 0's.

    Returns:
        The run folder of process 0.

    Raises:
        InputError: Model, data, version or settings are not process 0's.
        TrainingError: Process 0 is gone.
    """
    told = ranks.hear_what()
    config = told["config"]
    try:
        data = data or _data(config)
        model = model or _model(config)
        refuse_other(told, model, data, asked or {})
    except GenlabError as error:
        ranks.answer(str(error))
        raise
    ranks.answer("")
    settings = validate(TrainSettings, {**config["training"], "seed": config["seed"]})
    model.to(ranks.device)  # type: ignore[attr-defined]
    model.train()
    turns = Turns(model, data, settings, ranks)
    parameters = dict(model.named_parameters())
    owned = [[parameters[name] for name in names] for names in check_players(model)]
    with torch.random.fork_rng(devices=[]):
        ranks.send(list(model.state_dict().values()))
        while (heard := ranks.hear()) is not None:
            at = Moment(*heard)
            turns.take(at, owned[at.turn])
            ranks.send(owned[at.turn])
            if turns.is_last(at):
                turns.settle()
    return Path(told["path"])


def _data(config: Mapping[str, Any]) -> Dataset:
    settings = {name: value for name, value in config["data"].items() if name != "record"}
    return load_dataset(settings.pop("name"), **settings)


def _model(config: Mapping[str, Any]) -> Model:
    model: Model = create_model(config["model"]["name"], **config["model"]["settings"])
    return model
