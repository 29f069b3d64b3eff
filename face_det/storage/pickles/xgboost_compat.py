"""Converts what xgboost 0.8 and later pickled to a Booster of the installed version.

A Booster's pickle holds a model in the library's own format, which has changed twice: binary before 1.3, JSON
with the training settings up to 1.5, the same in UBJSON since. The library's readers trust their input: they
crash on a damaged file, and a forged one can do worse. Whatever the format, the trees are therefore read and
checked here, and passed on as the JSON that all versions since 1.0 read. Only what face classifiers consist
of is accepted: boosted trees over numbers, with one number per leaf.
"""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import numpy as np
import xgboost

from face_det.storage.pickles import ubjson, xgboost_binary

log = logging.getLogger(__name__)

OBJECTIVES = ("multi:softprob", "multi:softmax", "binary:logistic")
JSON_VERSION = [2, 0, 0]
"""The version of the JSON layout written here; later versions write a base score for each class."""
NODE_NUMBERS = ("base_weights", "loss_changes", "split_conditions", "sum_hessian")
"""What a tree stores for each node besides its shape; a leaf's split condition is its value."""
NO_PARENT = 2**31 - 1
_BASE_SCORE = re.compile(r"\[?[-+0-9.eE,]+\]?")


def restore_booster(booster: Any, state: dict[str, Any]) -> None:
    """Load the model in a pickled state into a new Booster. Raises TypeError or ValueError if invalid."""
    handle = state.get("handle")
    if not isinstance(handle, (bytes, bytearray)):
        raise TypeError("a Booster without a model")
    content = _parse_handle(bytes(handle))
    # Silenced: it would warn on stderr about older versions, which are converted here.
    with xgboost.config_context(verbosity=0):
        xgboost.Booster.__init__(booster)
        booster.load_model(bytearray(json.dumps(_rebuild_model(content["Model"])).encode()))
        booster.set_param({"nthread": _thread_count(content)})


def add_missing_parameters(state: dict[str, Any]) -> None:
    """Add the parameters that an XGBClassifier of an older version did not have yet, at their defaults."""
    for name, default in vars(xgboost.XGBClassifier()).items():
        state.setdefault(name, default)


def _parse_handle(handle: bytes) -> dict[str, Any]:
    if handle.startswith(b'{"'):
        content = json.loads(handle)
    elif handle.startswith(b"{"):
        content = ubjson.parse_ubjson(handle)
    else:
        content = {"Model": xgboost_binary.parse_binary_model(handle)}
    if "Config" not in content:
        log.info("read a model from an xgboost before 1.3")
    return dict(content)


def _thread_count(content: dict[str, Any]) -> int:
    """Return the number of threads that the model was trained with; 1, the original's, if not stored."""
    if "Config" not in content:
        return 1
    settings = content["Config"]["learner"]["generic_param"]
    return min(max(int(settings.get("nthread", 1)), 0), 256)


def _rebuild_model(model: dict[str, Any]) -> dict[str, Any]:
    """Build the model again from its parts, checking each. Raises ValueError if one is wrong."""
    learner = model["learner"]
    booster, parameters = learner["gradient_booster"], learner["learner_model_param"]
    objective = learner["objective"]["name"]
    if booster["name"] != "gbtree" or objective not in OBJECTIVES:
        raise ValueError(f"an xgboost model of kind {booster['name']}, {objective}, which is not used here")
    features, classes = int(parameters["num_feature"]), int(parameters["num_class"])
    base_score = str(parameters["base_score"])
    groups = _as_integers(booster["model"]["tree_info"])
    trees = [_rebuild_tree(tree, index, features) for index, tree in enumerate(booster["model"]["trees"])]
    columns = max(classes, 1)
    if groups.shape != (len(trees),) or not 0 <= columns <= max(len(trees), 1) or not 0 < features < 2**20:
        raise ValueError("an xgboost model whose numbers of trees, classes and features do not fit together")
    if ((groups < 0) | (groups >= columns)).any() or not _BASE_SCORE.fullmatch(base_score):
        raise ValueError("an xgboost model with trees for classes that it does not have")
    kind = {"softmax_multiclass_param": {"num_class": str(classes)}}
    if objective == "binary:logistic":
        kind = {"reg_loss_param": {"scale_pos_weight": "1"}}
    forest = {
        "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(len(trees))},
        "iteration_indptr": list(range(0, len(trees) + 1, columns)),
        "tree_info": groups.tolist(),
        "trees": trees,
    }
    return {
        "learner": {
            "attributes": _check_attributes(learner.get("attributes", {})),
            "feature_names": [],
            "feature_types": [],
            "gradient_booster": {"model": forest, "name": "gbtree"},
            "learner_model_param": {
                "base_score": base_score,
                "boost_from_average": "1",
                "num_class": str(classes),
                "num_feature": str(features),
                "num_target": "1",
            },
            "objective": {"name": objective, **kind},
        },
        "version": model["version"] if base_score.startswith("[") else JSON_VERSION,
    }


def _rebuild_tree(tree: dict[str, Any], index: int, features: int) -> dict[str, Any]:
    """Build a tree again without its pruned nodes, which older versions leave in."""
    left, right = _as_integers(tree["left_children"]), _as_integers(tree["right_children"])
    split, default = _as_integers(tree["split_indices"]), _as_integers(tree["default_left"])
    numbers = {name: np.asarray(tree[name], dtype=np.float64) for name in NODE_NUMBERS}
    if any(array.shape != left.shape for array in (right, split, default, *numbers.values())):
        raise ValueError("an xgboost tree whose parts do not fit together")
    if len(tree.get("categories", ())):
        raise ValueError("an xgboost tree over categories; encodings are numbers")
    kept = _reachable_nodes(left, right)
    inner = left[kept] != -1
    if ((split[kept][inner] < 0) | (split[kept][inner] >= features)).any():
        raise ValueError("an xgboost tree that splits on a feature that does not exist")
    number = np.zeros(len(left), dtype=np.int64)
    number[kept] = np.arange(len(kept))
    left, right = (np.where(inner, number[child[kept]], -1) for child in (left, right))
    parents = np.full(len(kept), NO_PARENT)
    parents[left[inner]] = parents[right[inner]] = np.flatnonzero(inner)
    return {
        **{name: array[kept].tolist() for name, array in numbers.items()},
        **{f"categories{part}": [] for part in ("", "_nodes", "_segments", "_sizes")},
        "id": index,
        "default_left": np.where(inner, default[kept] != 0, 0).tolist(),
        "left_children": left.tolist(),
        "parents": parents.tolist(),
        "right_children": right.tolist(),
        "split_indices": np.where(inner, split[kept], 0).tolist(),
        "split_type": [0] * len(kept),
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(features),
            "num_nodes": str(len(kept)),
            "size_leaf_vector": "1",
        },
    }


def _reachable_nodes(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> list[int]:
    """List the nodes of a tree from the root down, level by level; the library would follow any index."""
    kept, seen = [0], {0}
    for node in kept:
        if not 0 <= node < len(left):
            raise ValueError("an xgboost tree with branches that lead nowhere")
        if left[node] != -1:
            children = [int(left[node]), int(right[node])]
            if seen.intersection(children) or children[0] == children[1]:
                raise ValueError("an xgboost tree that loops")
            seen.update(children)
            kept += children
    return kept


def _as_integers(values: Any) -> np.ndarray[Any, Any]:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "biu"):
        raise ValueError("an xgboost model with something else where integers should be")
    return array.astype(np.int64)


def _check_attributes(values: dict[Any, Any]) -> dict[str, str]:
    if not all(isinstance(text, str) for item in values.items() for text in item):
        raise ValueError("an xgboost model with attributes that are not text")
    return values
