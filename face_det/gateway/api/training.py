"""Training, the models that it made, and how strict they are."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from face_det.gateway.state import GatewayState

ROUTES = APIRouter(tags=["training"])

LONGEST_TRAINING_S = 6 * 3600.0


class Training(BaseModel):
    """What to train; the default is the configured classifier and a complete search."""

    model_config = ConfigDict(extra="forbid")

    classifier: str | None = None
    embedder: str | None = None
    quick: bool | None = None


class FalseAcceptRate(BaseModel):
    """The share of strangers wrongly named that one accepts; null for the configured one."""

    falseAcceptRate: Annotated[float, Field(gt=1e-6, le=0.1)] | None


@ROUTES.get("/training")
async def training(gateway: GatewayState) -> dict[str, Any]:
    """Tell how far the training is, and what the last one reported."""
    status = await gateway.daemon.call("status")
    answer: dict[str, Any] = status["training"]
    return answer


@ROUTES.post("/training", status_code=202)
async def train(gateway: GatewayState, body: Training | None = None) -> dict[str, bool]:
    """Start training in the background; GET /training tells how far it is."""
    options = body.model_dump(exclude_none=True) if body else {}
    call = gateway.daemon.call("train", options, timeout_s=LONGEST_TRAINING_S)
    gateway.background.start(call, "training")
    return {"started": True}


@ROUTES.get("/models")
async def models(gateway: GatewayState) -> dict[str, Any]:
    """List the model in use and the earlier ones that were kept, newest first."""
    return {"models": await gateway.daemon.call("models")}


@ROUTES.post("/models/{model}/use")
async def use_model(model: str, gateway: GatewayState) -> dict[str, Any]:
    """Go back to an earlier model."""
    answer: dict[str, Any] = await gateway.daemon.call("use_model", model)
    return answer


@ROUTES.get("/tuning")
async def preview(
    gateway: GatewayState, falseAcceptRate: Annotated[float | None, Query(gt=1e-6, le=0.1)] = None
) -> dict[str, Any]:
    """Tell what a false accept rate would mean for the people enrolled; without one, the rate in force."""
    status = await gateway.daemon.call("status")
    in_force = status["falseAcceptRate"]
    rate = in_force["value"] if falseAcceptRate is None else falseAcceptRate
    ladder = await gateway.daemon.call("preview", rate)
    sentence = next((rung["text"] for rung in ladder if rung["asked"]), None)
    return {
        "falseAcceptRate": rate,
        "source": in_force["source"],
        "ladder": ladder,
        "sentence": sentence,
    }


@ROUTES.put("/tuning")
async def set_false_accept_rate(body: FalseAcceptRate, gateway: GatewayState) -> dict[str, Any]:
    """Set the false accept rate; it takes effect at once."""
    answer: dict[str, Any] = await gateway.daemon.call("set_false_accept_rate", body.falseAcceptRate)
    return answer


@ROUTES.get("/evaluation")
async def evaluation(gateway: GatewayState) -> dict[str, Any]:
    """Return the last evaluation of this gallery, and how far a running one is."""
    status = await gateway.daemon.call("status")
    last = await gateway.daemon.call("evaluation") or {}
    return {**status["evaluation"], "report": last.get("report"), "time": last.get("at")}


@ROUTES.post("/evaluation", status_code=202)
async def evaluate(gateway: GatewayState) -> dict[str, Any]:
    """Start an evaluation of this gallery in the background."""
    answer: dict[str, Any] = await gateway.daemon.call("evaluate", {})
    return answer
