"""eSASRec (Tikhonovich et al. 2025): SASRec with LiGR blocks, best with a softmax over sampled items."""

from __future__ import annotations

from pydantic import Field

from models.layers.attention import Residual
from models.layers.feed_forward import Activation
from models.sas import SAS, SASOptions


class ESASOptions(SASOptions):
    """Options of model `esas`."""

    residual: Residual = Field("plain", description=SASOptions.model_fields["residual"].description)
    gates: bool = Field(True, description=SASOptions.model_fields["gates"].description)
    activation: Activation = Field("swiglu", description=SASOptions.model_fields["activation"].description)


class ESAS(SAS):
    """`sas` with x + sigmoid(W1 x) * Attention(LN(x)), then x + sigmoid(W2 x) * SwiGLU(LN(x)), in each block."""

    code = "esas"
    Options = ESASOptions
