"""Make original_files.json: what the original's encode_faces.py and train.py pickled, in its day.

Run with the Python and the packages of each row; the last run joins the outputs:

    python3.7  scikit-learn==0.20.4  numpy==1.16.6  xgboost==0.90   a.json
    python3.8  scikit-learn==0.22.2  numpy==1.18.5  xgboost==1.0.2  b.json
    python3.8  scikit-learn==0.24.2  numpy==1.19.5  xgboost==1.4.2  c.json
    python3  original_files.json  a.json b.json c.json

Each file is pickled as the original pickles it, compressed, in base64, beside what it answers.
"""

from __future__ import annotations

import base64
import json
import pickle
import sys
import zlib
from pathlib import Path


def packed(thing):
    """A pickle as text."""
    return base64.b64encode(zlib.compress(pickle.dumps(thing), 9)).decode()


def made():
    """The files of these packages."""
    import numpy as np
    import sklearn
    import xgboost
    from sklearn.preprocessing import LabelEncoder
    from sklearn.svm import SVC

    random = np.random.RandomState(7)
    names = [name for name in ("Unknown", "anna", "bob") for _ in range(4)]
    # Few digits, so that the file stays small.
    encodings = [np.round(0.1 * random.randn(128) + 0.2 * names.index(name), 1) for name in names]
    encoder = LabelEncoder()
    y = encoder.fit_transform(names)
    X = np.array(encodings)
    asked = np.round(X[::4] + 0.1 * random.randn(3, 128), 1)
    svm = {"probability": True, "class_weight": "balanced", "random_state": 1234}
    models = {
        "rbf": SVC(kernel="rbf", gamma=0.1, C=10, **svm).fit(X, y),
        "linear": SVC(kernel="linear", C=1, **svm).fit(X, y),
        "default": SVC(**svm).fit(X, y),
        "two": SVC(kernel="linear", C=1, **svm).fit(X[4:], y[4:]),
        "xgb": xgboost.XGBClassifier(
            learning_rate=0.1,
            n_estimators=4,
            objective="multi:softprob",
            min_child_weight=0.1,
            random_state=1234,
        ).fit(X, y),
        # Small gains, so that branches are pruned.
        "xgb_pruned": xgboost.XGBClassifier(n_estimators=3, gamma=1, min_child_weight=0).fit(
            X[:, :9], np.arange(12) % 3
        ),
        "xgb_two": xgboost.XGBClassifier(n_estimators=3, min_child_weight=0, base_score=0.4).fit(
            X[4:], y[4:] > 1
        ),
    }
    narrow = {"xgb_pruned": asked[:, :9]}
    return {
        "scikit-learn %s, xgboost %s" % (sklearn.__version__, xgboost.__version__): {  # noqa: UP031
            "encodings": packed({"encodings": encodings, "names": names}),
            "labels": packed(encoder),
            "models": {name: packed(model) for name, model in models.items()},
            "asked": asked.tolist(),
            "answers": {
                name: model.predict_proba(narrow.get(name, asked)).tolist() for name, model in models.items()
            },
        }
    }


if __name__ == "__main__":
    parts = [json.loads(Path(name).read_text("utf-8")) for name in sys.argv[2:]] or [made()]
    files = {name: content for part in parts for name, content in part.items()}
    Path(sys.argv[1]).write_text(json.dumps(files, indent=1) + "\n", encoding="utf-8")
