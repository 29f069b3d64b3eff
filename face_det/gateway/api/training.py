"""Training, models, and how strict they are."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from face_det.errors import ModelMissing
from face_det.gateway.api.answers import (
    Evaluation,
    EvaluationProgress,
    ModelInUse,
    Models,
    Started,
    TrainingProgress,
    Tuning,
    json_answer,
)
from face_det.gateway.bodies import Body
from face_det.gateway.state import Gateway, GatewayState

ROUTES = APIRouter(tags=["training"])

LONGEST_TRAINING_S = 6 * 3600.0
REFUSAL_S = 1.0
"""An error that comes within this time, such as a full queue, is the answer to whoever asked."""

Rate = Annotated[float, Field(gt=1e-6, le=0.1)]


class Training(Body):
    """What to train; the default is the configured classifier and a complete search."""

    classifier: Annotated[str | None, Field(description="The kind of classifier.", examples=["svm"])] = None
    embedder: Annotated[str | None, Field(description="Whose encodings.", examples=["sface"])] = None
    quick: Annotated[bool | None, Field(description="Search only a few candidates.", examples=[True])] = None


class FalseAcceptRate(Body):
    """The accepted share of strangers who are wrongly named; null for the configured one."""

    falseAcceptRate: Annotated[Rate | None, Field(examples=[0.001])]


@ROUTES.get("/training", **json_answer(TrainingProgress))
async def training(gateway: GatewayState) -> dict[str, Any]:
    """Return the progress of the training, and the report of the last one."""
    status = await gateway.daemon.call("status")
    answer: dict[str, Any] = status["training"]
    return answer


@ROUTES.post("/training", status_code=202, **json_answer(Started, 202, "Started"))
async def train(gateway: GatewayState, body: Training | None = None) -> dict[str, bool]:
    """Start training in the background; GET /training returns its progress."""
    options = body.model_dump(exclude_none=True) if body else {}
    call = gateway.daemon.call("train", options, timeout_s=LONGEST_TRAINING_S)
    if refused := await gateway.background.start(call, "training", REFUSAL_S):
        raise refused
    return {"started": True}


@ROUTES.get("/models", **json_answer(Models))
async def models(gateway: GatewayState) -> dict[str, Any]:
    """List the model in use and the earlier ones that were kept, newest first."""
    return {"models": await gateway.daemon.call("models")}


@ROUTES.post("/models/{model}/use", **json_answer(ModelInUse))
async def use_model(
    model: Annotated[str, Path(description="A fingerprint: `model` in GET /models.", examples=["5f2c9d"])],
    gateway: GatewayState,
) -> dict[str, Any]:
    """Go back to an earlier model."""
    answer: dict[str, Any] = await gateway.daemon.call("use_model", model)
    return answer


@ROUTES.get("/tuning", **json_answer(Tuning))
async def preview(
    gateway: GatewayState,
    falseAcceptRate: Annotated[Rate | None, Query(description="Default: the current rate.")] = None,
) -> dict[str, Any]:
    """Return what each false accept rate would mean for the people enrolled."""
    status = await gateway.daemon.call("status")
    return await _describe_rate(gateway, falseAcceptRate, status["falseAcceptRate"])


@ROUTES.put("/tuning", **json_answer(Tuning))
async def set_false_accept_rate(body: FalseAcceptRate, gateway: GatewayState) -> dict[str, Any]:
    """Set the false accept rate; it takes effect at once."""
    in_force = await gateway.daemon.call("set_false_accept_rate", body.falseAcceptRate)
    return await _describe_rate(gateway, None, in_force)


async def _describe_rate(gateway: Gateway, asked: float | None, in_force: dict[str, Any]) -> dict[str, Any]:
    """Return a rate, the one in force by default, with what it and others would mean."""
    rate = in_force["value"] if asked is None else asked
    answer = {"falseAcceptRate": rate, "source": in_force["source"]}
    try:
        ladder = await gateway.daemon.call("preview", rate)
    except ModelMissing as error:
        return {**answer, "ladder": [], "sentence": str(error)}
    sentence = next((rung["text"] for rung in ladder if rung["asked"]), "")
    return {**answer, "ladder": ladder, "sentence": sentence}


@ROUTES.get("/evaluation", **json_answer(Evaluation))
async def evaluation(gateway: GatewayState) -> dict[str, Any]:
    """Return the last evaluation of this gallery, and the progress of a running one."""
    last = await gateway.daemon.call("evaluation")
    status = await gateway.daemon.call("status")
    return {**status["evaluation"], **(last or {"at": None, "options": None, "report": None})}


@ROUTES.post("/evaluation", status_code=202, **json_answer(EvaluationProgress, 202, "Started"))
async def evaluate(gateway: GatewayState) -> dict[str, Any]:
    """Start an evaluation of this gallery in the background."""
    answer: dict[str, Any] = await gateway.daemon.call("evaluate", {})
    return answer
